import { createRequire } from 'node:module'
import type { KeyRecovery } from './key-recovery.ts'

/** By the version of its binary interface: releases 0.7, 0.3 to 0.6, 0.2, and what was packaged before there were any. What
 * is called here is alike in all. */
const files = ['libsecp256k1.so.6', 'libsecp256k1.so.2', 'libsecp256k1.so.1', 'libsecp256k1.so.0']

/** Bytes of a key that is not compressed. */
export const keyBytes = 65

/** SECP256K1_CONTEXT_VERIFY, which newer releases take for SECP256K1_CONTEXT_NONE, and SECP256K1_EC_UNCOMPRESSED. */
const [verifying, uncompressed] = [0x0101, 0x0002]
const [digestBytes, signatureBytes] = [32, 64]
/** Of its opaque structures, which are 64 and 65 bytes long. */
const structureBytes = 128

/**
 * libsecp256k1 of a Linux system, called as `secp256k1_recovery.h` declares it.
 * @throws when there is none, or it was built without recovery
 */
export function loadSharedLibrary(): KeyRecovery {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
  const library = open(koffi)
  const createContext = library.func('void *secp256k1_context_create(unsigned int flags)')
  const parse = library.func(
    'int secp256k1_ecdsa_recoverable_signature_parse_compact(void *context, void *parsed, const uint8_t *signature, int recoveryId)',
  )
  const recover = library.func(
    'int secp256k1_ecdsa_recover(void *context, void *key, const void *parsed, const uint8_t *digest)',
  )
  const serialize = library.func(
    'int secp256k1_ec_pubkey_serialize(void *context, uint8_t *output, void *length, const void *key, unsigned int flags)',
  )

  const context: unknown = createContext(verifying)
  const [parsed, key] = [Buffer.alloc(structureBytes), Buffer.alloc(structureBytes)]
  const output = Buffer.alloc(keyBytes)
  const length = BigUint64Array.of(BigInt(keyBytes))

  return (digest, signature, recoveryId) => {
    // It would read on behind what is too short, and end the process for another number.
    if (digest.length !== digestBytes) throw new RangeError(`a digest has ${digestBytes} bytes`)
    if (signature.length !== signatureBytes) throw new RangeError(`r and s have ${signatureBytes} bytes`)
    if (recoveryId !== 0 && recoveryId !== 1) throw new RangeError('a recovery number is 0 or 1')
    const isFound =
      parse(context, parsed, signature, recoveryId) === 1 && recover(context, key, parsed, digest) === 1
    if (!isFound) throw new Error('the signature is no point on the curve')
    serialize(context, output, length, key, uncompressed)
    return output
  }
}

function open(koffi: typeof import('koffi')) {
  const errors: unknown[] = []
  for (const file of files) {
    try {
      return koffi.load(file)
    } catch (error) {
      errors.push(error)
    }
  }
  throw new AggregateError(errors, 'this system has no libsecp256k1 that we know')
}
