import * as z from 'zod'

/** Keys that can open one sealed content at most. */
export const maximumRecipients = 16
/** Longest sealed box, in characters of base64url: less than the whole content of an action. */
export const maximumBoxLength = 7000

const base64url = /^[A-Za-z0-9_-]+$/

/** 32 bytes of an X25519 public key. */
export const sealingKeySchema = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/, 'must be 0x and 64 lower-case hex digits')

/**
 * Content that only some can read. It is sealed and opened by clients (`sealing` of the SDK says how); a rule sees
 * nothing but its form. Whose keys open it is not said; how long it is, about, and who wrote when, is public as ever.
 */
export const sealedSchema = z.strictObject({
  /** X25519 key made for this content alone. */
  from: sealingKeySchema,
  /** The content's key, once for each reader: 48 bytes each in base64url. */
  keys: z.array(z.string().length(64).regex(base64url, 'must be base64url')).min(1).max(maximumRecipients),
  box: z.string().min(1).max(maximumBoxLength).regex(base64url, 'must be base64url'),
})
export type Sealed = z.infer<typeof sealedSchema>
