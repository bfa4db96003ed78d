import type { Json } from '../canonical/index.ts'
import { applyRange, rulesOf } from '../catalogue/index.ts'
import { genesisStateHash, logDigest } from '../state-hash/index.ts'
import type { ScriptedBlock } from './catalogue-script.ts'

/** What the rules of a network make of a scripted history: each verdict, what it changes, the state hash after each
 * block, and the state at the end. */
export async function judgedHistory(
  blocks: readonly ScriptedBlock[],
  network: Parameters<typeof rulesOf>[0],
): Promise<{ blocks: Json; state: Json }> {
  const result = await applyRange({
    rules: rulesOf(network),
    logs: blocks.flatMap(({ logs }) => logs),
    timestampOf: (number) => blocks.find((block) => block.number === number)?.timestamp ?? 0,
    operatorEvents: [],
    stateHash: genesisStateHash,
    read: async () => new Map(),
  })
  const judged = new Map(
    result.actions.map((entry) => [`${entry.place.block} ${entry.place.logIndex}`, entry]),
  )
  const stateHashes = new Map(result.blocks.map(({ number, stateHash }) => [number, stateHash]))
  const state = [...result.state].filter(([, value]) => value !== null)
  return {
    blocks: blocks.map(({ number, timestamp, logs }) => ({
      number,
      hash: logs[0]?.blockHash,
      timestamp,
      logs: logs.map((log) => {
        const { logIndex, address, topics, data } = log
        const entry = judged.get(`${number} ${logIndex}`)
        const place = { logIndex, address, topics: [...topics], data }
        if (entry === undefined) return { ...place, digest: logDigest(log), verdict: 'applied', changes: [] }
        const { action, verdict } = entry
        const { hash, signer, author, kind, subject } = action
        const content = textOf(action.content)
        return {
          ...place,
          action: { signer, author, nonce: String(action.nonce), kind, subject, content },
          digest: hash,
          verdict: verdict.verdict,
          ...(verdict.verdict === 'applied' ? {} : { reason: verdict.reason }),
          changes: verdict.verdict === 'applied' ? verdict.changes : [],
        }
      }),
      stateHash: stateHashes.get(number),
    })),
    state: Object.fromEntries(state.toSorted(([a], [b]) => (a < b ? -1 : 1))),
  }
}

/** @returns null for what is no text */
function textOf(bytes: Uint8Array): string | null {
  const text = new TextDecoder().decode(bytes)
  return text.includes('\ufffd') ? null : text
}
