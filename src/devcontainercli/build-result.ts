import { z } from 'zod';

const image = z.string().min(1).max(1_024);

const buildResult = z.discriminatedUnion('outcome', [
  z.object({
    outcome: z.literal('success'),
    imageName: z.union([image.transform((name) => [name]), z.array(image).min(1).max(20)]),
  }),
  z.object({
    outcome: z.literal('error'),
    message: z.string().catch(''),
    description: z.string().catch(''),
  }),
]);

export type BuildResult = z.infer<typeof buildResult>;

/** The result line of `devcontainer build`; `undefined` when it is not one. */
export function parseBuildResult(line: string): BuildResult | undefined {
  try {
    const parsed = buildResult.safeParse(JSON.parse(line));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
