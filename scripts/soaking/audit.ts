import { setTimeout as wait } from 'node:timers/promises'
import { verifyBlock } from '@hexachord/protocol/cids'
import { blocksOf, loadTrack } from '@hexachord/protocol/manifests'
import type { Connection } from '@hexachord/sdk/connect'
import { findTrack } from '@hexachord/sdk/finding'
import type { LocalNetwork } from '../local-network/index.ts'
import type { Repertoire, Work } from './repertoire.ts'
import { reasonOf } from './tally.ts'

/** How the network stands after a run. */
export type Audit = {
  readonly stateHashes: readonly string[]
  /** Acknowledged tracks, and those of which three operators hold every block. */
  readonly tracks: number
  readonly whole: number
  readonly missing: readonly string[]
}

const copiesWanted = 3
const askWithinMs = 10_000
const lookEveryMs = 1_000

/** Looks until everything is as it should be, and answers with the last look when it has not become so in time. */
export async function audit(options: {
  network: LocalNetwork
  connection: Connection
  repertoire: Repertoire
  withinMs: number
}): Promise<Audit> {
  const endMs = performance.now() + options.withinMs
  for (;;) {
    const result = await look(options).catch((error: unknown) => ({
      ...{ stateHashes: [], tracks: options.repertoire.live().length, whole: 0 },
      missing: [reasonOf(error)],
    }))
    const settled = new Set(result.stateHashes).size === 1 && result.missing.length === 0
    if (settled || performance.now() > endMs) return result
    await wait(lookEveryMs)
  }
}

async function look({ network, connection, repertoire }: Parameters<typeof audit>[0]): Promise<Audit> {
  const { creator, discovery } = network.urls
  const content = network.urls.content.filter((_, index) => isUp(network, index))
  const stateHashes = await Promise.all([discovery, creator, ...content].map(stateHashOf))
  const works = repertoire.live()
  const missing: string[] = []
  for (const work of works) {
    const reason = await whatIsMissing(work, { content, connection }).catch(reasonOf)
    if (reason !== undefined) missing.push(`${work.subject} (${work.title}): ${reason}`)
  }
  return { stateHashes, tracks: works.length, whole: works.length - missing.length, missing }
}

/** Operators that have left do not count, although their endpoints are remembered. */
function isUp(network: LocalNetwork, contentIndex: number): boolean {
  const operator = network.operators[contentIndex + 1]
  return operator !== undefined && network.processes.pid(operator.name) !== undefined
}

async function stateHashOf(origin: string): Promise<string> {
  const response = await fetch(`${origin}/status`, { signal: AbortSignal.timeout(askWithinMs) })
  const { stateHash } = (await response.json()) as { stateHash: string }
  return stateHash
}

async function whatIsMissing(
  { subject, manifest, title }: Work,
  { content, connection }: { content: readonly string[]; connection: Connection },
): Promise<string | undefined> {
  const track = await findTrack(connection, subject)
  if (track.manifest !== manifest) return `discovery names ${track.manifest}, acknowledged was ${manifest}`
  if (track.title !== title) return `discovery names it ${track.title}`
  const verdicts = await Promise.all(
    content.map((origin) => everyBlockOf(origin, manifest).then(() => undefined, reasonOf)),
  )
  const copies = verdicts.filter((verdict) => verdict === undefined).length
  const wanted = Math.min(copiesWanted, content.length)
  return copies >= wanted ? undefined : `${copies} whole copies; ${verdicts.filter(Boolean).join('; ')}`
}

/** @throws when the node itself does not have every block of the track, with the right hash */
async function everyBlockOf(origin: string, manifest: string): Promise<void> {
  const block = async (cid: string) => {
    const url = `${origin}/ipfs/${cid}?format=raw`
    const response = await fetch(url, {
      headers: { 'cache-control': 'only-if-cached' },
      signal: AbortSignal.timeout(askWithinMs),
    })
    if (!response.ok) throw new Error(`${url} answers ${response.status}`)
    const bytes = new Uint8Array(await response.arrayBuffer())
    await verifyBlock(cid, bytes)
    return bytes
  }
  for (const { cid } of blocksOf(await loadTrack(manifest, block))) await block(cid)
}
