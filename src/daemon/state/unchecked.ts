import type { z } from 'zod';

/** Fields that a type has and its schema does not: they would be lost at the next start, so a test type must not compile. */
export type Unchecked<T, S extends z.ZodType> = Exclude<keyof T, keyof z.infer<S>>;
