/** Milliseconds since the Unix epoch. Times are inputs of the model: it never asks a clock. */
export type Instant = number;
