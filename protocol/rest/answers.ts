import * as z from 'zod'

/** RFC 9457. `type` is a URN of the project that names the mistake; further members are allowed. */
export const problemSchema = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string().optional(),
  instance: z.string().optional(),
})
export type ProblemDetails = z.infer<typeof problemSchema>

export type List<T> = { readonly items: readonly T[]; readonly next: string | null }

/** One page of a list; `next` is the cursor of the following page. */
export function listOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), next: z.string().nullable() })
}
