import { type Address, authorOf, type Subject } from '@hexachord/protocol/names'
import { gateSigner, type KeptSecret, openSecret, SealedSecretError } from '@hexachord/protocol/premium'
import { type Domain, SignatureError } from '@hexachord/protocol/signing'
import { LRUCache } from 'lru-cache'
import type { Catalogue } from '../catalogue/index.ts'
import type { SecretStore } from './secret-store.ts'

/** To open one takes a millisecond, and each track has hundreds of keys. */
const secretsOpen = 10_000
/** A gate that was set while this node was away, or cut off, is known so long after it could be asked for. */
const compareEveryMs = 60_000
/** A gate that is set by a clock ahead of everybody's could not be replaced by a later one. */
export const gateSkewMs = 300_000

export type HeldSecretsOptions = {
  readonly domain: Domain
  /** Of this node's hot key, 0x and 64 hex digits. */
  readonly privateKey: string
  readonly secrets: SecretStore
  readonly catalogue: Pick<Catalogue, 'identity'>
  /** What others of a track's key holders have, sealed to this node, of those that answer in time. Never rejects. */
  readonly askOthers: (subject: Subject, keyHolders: readonly Address[]) => Promise<KeptSecret[]>
  /** ms since 1970. */
  readonly now: () => number
}

/** Secrets of premium tracks and their gates, as a key holder has them. */
export type HeldSecrets = {
  /** What this node itself has, and can open. */
  get(subject: Subject): KeptSecret | undefined
  /**
   * The same, or what others give, and with the newest gate that the artist has signed: others are asked when that was a
   * minute ago, or never since the start. Who does not answer is not waited for.
   */
  newest(subject: Subject, others: readonly Address[]): Promise<KeptSecret | undefined>
  /** What was checked before; durable when it returns. */
  take(subject: Subject, secret: KeptSecret): void
  /** The secret itself. @throws SealedSecretError when it was sealed to a hot key that this node had once */
  opened(secret: KeptSecret, subject: Subject): Uint8Array
  /** Whether whoever controls the track has signed this gate, and not for a time still to come. */
  isArtists(subject: Subject, secret: Pick<KeptSecret, 'gate' | 'proof'>): boolean
}

export function createHeldSecrets(options: HeldSecretsOptions): HeldSecrets {
  const { domain, secrets, catalogue, now } = options
  const openedSecrets = new LRUCache<string, Uint8Array>({ max: secretsOpen })
  const comparedAt = new LRUCache<Subject, number>({ max: secretsOpen })
  const comparing = new Map<Subject, Promise<KeptSecret | undefined>>()

  function opened({ sealed }: KeptSecret, subject: Subject): Uint8Array {
    const name = subject + sealed
    const known = openedSecrets.get(name)
    if (known !== undefined) return known
    const secret = openSecret(sealed, { subject, privateKey: options.privateKey })
    openedSecrets.set(name, secret)
    return secret
  }

  function opens(kept: KeptSecret, subject: Subject): boolean {
    try {
      opened(kept, subject)
      return true
    } catch (error) {
      if (error instanceof SealedSecretError) return false
      throw error
    }
  }

  function get(subject: Subject): KeptSecret | undefined {
    const kept = secrets.get(subject)
    return kept !== undefined && opens(kept, subject) ? kept : undefined
  }

  function isArtists(subject: Subject, { gate, proof }: Pick<KeptSecret, 'gate' | 'proof'>): boolean {
    if (proof === undefined || proof.atMs > now() + gateSkewMs) return false
    try {
      const { controller } = catalogue.identity(authorOf(subject), now())
      return gateSigner(domain, { subject, gate, proof }) === controller
    } catch (error) {
      if (error instanceof SignatureError) return false
      throw error
    }
  }

  async function compare(subject: Subject, others: readonly Address[]): Promise<KeptSecret | undefined> {
    const answers = (await options.askOthers(subject, others)).filter((one) => opens(one, subject))
    const signed = answers.filter((one) => isArtists(subject, one)).toSorted((a, b) => setAt(b) - setAt(a))
    // Read after the answers: the artist may have come meanwhile.
    const kept = get(subject)
    // A gate without proof is better than none where there is no secret either: it is from before gates were signed, or
    // by a key that the artist has given up since.
    const [given] = [...signed, ...answers]
    if (kept === undefined) {
      if (given !== undefined) secrets.set(subject, given)
      return given
    }
    const [newer] = signed
    if (newer === undefined || setAt(newer) <= setAt(kept)) return kept
    const { gate, proof } = newer
    // Its secret is not needed, and nobody has signed that.
    const learnt = { sealed: kept.sealed, gate, proof }
    secrets.set(subject, learnt)
    return learnt
  }

  return {
    get,
    opened,
    isArtists,
    async newest(subject, others) {
      const kept = get(subject)
      const isDue = now() - (comparedAt.get(subject) ?? Number.NEGATIVE_INFINITY) >= compareEveryMs
      if (kept !== undefined && !isDue) return kept
      const running = comparing.get(subject)
      if (running !== undefined) return running
      const asked = compare(subject, others)
      comparing.set(subject, asked)
      try {
        const found = await asked
        if (found !== undefined) comparedAt.set(subject, now())
        return found
      } finally {
        comparing.delete(subject)
      }
    },
    take: (subject, secret) => secrets.set(subject, secret),
  }
}

/** ms since 1970; 0 for a gate from before gates were signed. */
export function setAt({ proof }: KeptSecret): number {
  return proof?.atMs ?? 0
}
