/** Random UUIDs: an input, so that tests can predict them. */
export type NewId = () => string;
