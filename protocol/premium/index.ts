export {
  type Gate,
  type GateProof,
  type GivenSecret,
  gateAnswerSchema,
  gateSchema,
  gateSigner,
  givenSecretSchema,
  type KeptSecret,
  keptSecretSchema,
  signGate,
} from './gates.ts'
export {
  openSecret,
  publicKeyOf,
  type SealedSecret,
  SealedSecretError,
  sealedSecretPattern,
  sealSecret,
} from './sealed-secret.ts'
export { DecryptError, decryptSegment, encryptedLength, encryptSegment } from './segment-cipher.ts'
export {
  newTrackSecret,
  renditionSalt,
  type SegmentKey,
  secretBytes,
  segmentIv,
  segmentKey,
} from './segment-keys.ts'
