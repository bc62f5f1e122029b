import { z } from 'zod';

const containerId = z
  .string()
  .regex(/^[0-9a-f]{12,64}$/)
  .optional();

const upResult = z.discriminatedUnion('outcome', [
  z.object({
    outcome: z.literal('success'),
    containerId: z.string().regex(/^[0-9a-f]{12,64}$/),
    remoteUser: z.string().optional(),
    remoteWorkspaceFolder: z.string().optional(),
  }),
  z.object({
    outcome: z.literal('error'),
    containerId,
    message: z.string().catch(''),
    description: z.string().catch(''),
  }),
]);

export type UpResult = z.infer<typeof upResult>;

/** The result line of `devcontainer up`; `undefined` when it is not one. */
export function parseUpResult(line: string): UpResult | undefined {
  try {
    const parsed = upResult.safeParse(JSON.parse(line));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
