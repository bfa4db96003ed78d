import type { Subject } from '@hexachord/protocol/names'
import { DecryptError, gateAnswerSchema } from '@hexachord/protocol/premium'
import { ApiError, type Http, noAnswer, readJson, readProblem, reasonOf } from '../connect/index.ts'
import { NodeRefused } from './channel-report.ts'

const keyBytes = 16
/** A player waits for it. */
const keyWithinMs = 5_000

/** Where an encrypted segment stands in its track. */
export type KeyPlace = {
  readonly manifest: string
  /** Places in the manifest and in the rendition, from 0 on. */
  readonly rendition: number
  readonly segment: number
}

/** Tries a key. Rejects with DecryptError where it is not the one. */
export type TryKey = (key: Uint8Array) => Promise<unknown>

/** The `Authorization` by which a node knows an account. @param origin of the node */
export type AccountPass = (origin: string) => Promise<string>

/** A premium track at one of its key holders. All throw ApiError, NodeRefused, and the signal's reason. */
export type KeyHolder = {
  /** Asks what the track's gate is, and shows it the account where there is one: who is not let in hears so before paying
   * for anything, and where there is no gate nobody hears who listens. */
  pass(signal: AbortSignal): Promise<void>
  /** A key that opens what it is for. @param session that has paid for it */
  key(
    place: KeyPlace,
    options: { session: string | undefined; tryKey: TryKey; signal: AbortSignal },
  ): Promise<Uint8Array>
}

/** @param options.pass of whoever listens; without it a gate stays closed */
export function keyHolderAt(
  http: Http,
  { origin, track, pass }: { origin: string; track: Subject; pass?: AccountPass | undefined },
): KeyHolder {
  const url = `${origin}/premium/${track}`
  let isOpen = false
  /** Whether the gate asks who listens. */
  let isGated = false

  async function headers(): Promise<Record<string, string>> {
    return isGated && pass ? { authorization: await pass(origin) } : {}
  }

  async function show(signal: AbortSignal): Promise<void> {
    const ask = (shown: Record<string, string>) =>
      readJson(http, url, gateAnswerSchema, { headers: shown, signal, timeoutMs: keyWithinMs })
    const { gate } = await ask({})
    isGated = gate !== null
    if (gate !== null && pass === undefined) {
      const whom = gate.kind === 'follower' ? 'those who follow its artist' : `holders of ${gate.contract}`
      throw new ApiError(`the track is for ${whom} only, and no account was shown`, { status: 403, url })
    }
    if (gate !== null) await ask(await headers())
    isOpen = true
  }

  return {
    async pass(signal) {
      if (!isOpen) await show(signal)
    },
    async key({ manifest, rendition, segment }, { session, tryKey, signal }) {
      const query = session === undefined ? '' : `?s=${encodeURIComponent(session)}`
      const keyUrl = `${url}/keys/${manifest}/${rendition}/${segment}${query}`
      let response: Response
      try {
        const inTime = AbortSignal.any([signal, AbortSignal.timeout(keyWithinMs)])
        response = await http(keyUrl, { headers: await headers(), signal: inTime })
      } catch (cause) {
        signal.throwIfAborted()
        throw noAnswer(keyUrl, reasonOf(cause), cause)
      }
      if (!response.ok) throw await readProblem(response, keyUrl)
      const key = new Uint8Array(await response.arrayBuffer())
      if (key.length !== keyBytes) throw new NodeRefused(`${origin} gave ${key.length} bytes for a key`)
      try {
        await tryKey(key)
      } catch (error) {
        if (!(error instanceof DecryptError)) throw error
        throw new NodeRefused(`${origin} gave a key that does not open segment ${segment}`, { cause: error })
      }
      return key
    },
  }
}
