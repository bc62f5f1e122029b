export interface DirectoryWatch {
  close(): void;
}

export interface Watcher {
  /**
   * Calls `onChange` after anything directly inside `directory` changed, appeared or vanished, and when the directory
   * itself vanishes or comes back. Level-triggered: several changes may come as one call. Equal directories share one
   * watch by reference count. Never throws: what cannot be watched is polled, with one warning.
   */
  watch(directory: string, onChange: () => void): DirectoryWatch;
  close(): Promise<void>;
}
