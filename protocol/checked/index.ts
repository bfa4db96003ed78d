import * as z from 'zod'

/**
 * As `schema.safeParse`, for values that anybody may have written. Zod 4.6.7 measures what has a `length` before it looks
 * whether that is text or a list, and throws where the length is an object that cannot become a number, such as
 * `{"length":{"toString":""}}`: one such action or manifest must be refused, and stop nobody who reads it.
 */
export function checked<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
):
  | { success: true; data: z.output<Schema>; error?: undefined }
  | { success: false; data?: undefined; error: z.ZodError } {
  try {
    const { success, data, error } = schema.safeParse(value)
    return success ? { success, data } : { success, error }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    const message = 'has an object where the length of a text or of a list stands'
    return {
      success: false,
      error: new z.ZodError([{ code: 'custom', path: [], message, input: undefined }]),
    }
  }
}

/**
 * As `schema.parse`, for values that anybody may have written: see `checked`.
 * @throws ZodError
 */
export function parsed<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = checked(schema, value)
  if (result.success) return result.data
  throw result.error
}
