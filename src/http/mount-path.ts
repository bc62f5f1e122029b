/** Where the app mounts the router. */
export const MOUNT_PATH = '/api/v0/containers';
