import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'

/** Keeps passwords so that a copy of the database alone gives none away. */
export type Sealing = {
  /** @param id of the password, which the sealed form is bound to */
  seal(id: string, password: string): Buffer
  /** Undefined when it was sealed under another key or another id. */
  open(id: string, sealed: Buffer): string | undefined
  /** What a password is found by: the same for the same password, and of no use without the key. */
  fingerprint(password: string): Buffer
}

const algorithm = 'aes-256-gcm'
const nonceBytes = 12
const tagBytes = 16

/** @param key 32 bytes */
export function createSealing(key: Buffer): Sealing {
  const sealingKey = derived(key, 'app password sealing')
  const fingerprintKey = derived(key, 'app password fingerprint')
  return {
    seal(id, password) {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv(algorithm, sealingKey, nonce, { authTagLength: tagBytes })
      cipher.setAAD(Buffer.from(id))
      return Buffer.concat([nonce, cipher.update(password, 'utf8'), cipher.final(), cipher.getAuthTag()])
    },
    open(id, sealed) {
      if (sealed.length < nonceBytes + tagBytes) return undefined
      const nonce = sealed.subarray(0, nonceBytes)
      const decipher = createDecipheriv(algorithm, sealingKey, nonce, { authTagLength: tagBytes })
      decipher.setAAD(Buffer.from(id))
      decipher.setAuthTag(sealed.subarray(-tagBytes))
      const first = decipher.update(sealed.subarray(nonceBytes, -tagBytes))
      try {
        return Buffer.concat([first, decipher.final()]).toString('utf8')
      } catch {
        // The one thing that can fail here is the tag.
        return undefined
      }
    },
    fingerprint: (password) => createHmac('sha256', fingerprintKey).update(password).digest(),
  }
}

function derived(key: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), purpose, 32))
}
