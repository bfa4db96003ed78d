import type { Address } from '@hexachord/protocol/names'
import { listOf, operatorAnswerSchema } from '@hexachord/protocol/rest'
import type { Connection } from '@hexachord/sdk/connect'
import {
  type ChainChannel,
  type EscrowReader,
  finalizeRelease,
  formatAmount,
  initiateRelease,
  type PurseMemory,
  type PurseState,
  type Token,
  type Writing,
  withReleased,
  withReleasing,
} from '@hexachord/sdk/paying'

/** What a node holds of a wallet on the chain. */
export type Reserve = ChainChannel & {
  readonly node: Address
  /** For what was heard, and not redeemed yet, as far as this machine has signed it. */
  readonly owed: bigint
}

/** Nodes of the chain answer so many questions at once. */
const askedAtOnce = 16
/** Ten thousand operators: an index that names more has lost its way. */
const mostPages = 20

/** What nodes hold, as the chain says: these, or all that were ever paid from here or are registered, since a machine that has
 * lost its purse, or never had it, knows of none.
 * @throws ApiError */
export async function reservesOf(
  { connection, reader, address }: { connection: Connection; reader: EscrowReader; address: Address },
  state: PurseState,
  { named = [], signal }: { named?: readonly Address[]; signal: AbortSignal },
): Promise<Reserve[]> {
  const nodes =
    named.length > 0
      ? new Set(named)
      : new Set([...(Object.keys(state.channels) as Address[]), ...(await listOperators(connection, signal))])
  const asked = [...nodes]
  const reserves: Reserve[] = []
  for (let at = 0; at < asked.length; at += askedAtOnce) {
    signal.throwIfAborted()
    const some = asked.slice(at, at + askedAtOnce).map(async (node) => {
      const channel = await reader.channel(address, address, node)
      const cumulative = state.channels[node]?.cumulative ?? 0n
      return { ...channel, node, owed: cumulative > channel.settled ? cumulative - channel.settled : 0n }
    })
    reserves.push(...(await Promise.all(some)))
  }
  return reserves.filter((reserve) => heldIn(reserve) > 0n)
}

function heldIn({ reserved, released, settled }: Reserve): bigint {
  return reserved - released - settled
}

/** Also those that have gone: what they hold they hold still. */
async function listOperators(connection: Connection, signal: AbortSignal): Promise<Address[]> {
  const operators: Address[] = []
  let query = ''
  for (let page = 0; page < mostPages; page += 1) {
    const path = `/v1/operators${query}`
    const { items, next } = await connection.discover(path, listOf(operatorAnswerSchema), { signal })
    operators.push(...items.map(({ operator }) => operator))
    if (next === null) break
    query = `?cursor=${encodeURIComponent(next)}`
  }
  return operators
}

/** Announces what is to be taken back of a node's reserve, or takes what was announced before, when its time has come.
 * @param options.all also what is owed
 * @returns what was done, for people */
export async function releaseOne(
  {
    address,
    reader,
    writing,
    memory,
    token,
  }: { address: Address; reader: EscrowReader; writing: Writing; memory: PurseMemory; token: Token },
  reserve: Reserve,
  { all = false }: { all?: boolean | undefined } = {},
): Promise<string> {
  const { node, released, releasing, readyAt, owed } = reserve
  // What was heard and is not redeemed yet stays for the node.
  const amount = heldIn(reserve) - (all ? 0n : owed)
  if (readyAt > 0) {
    const leftSeconds = readyAt - (await reader.nowSeconds())
    if (leftSeconds <= 0) {
      await finalizeRelease(writing, { key: address, node })
      const channel = await reader.channel(address, address, node)
      await memory.update((state) => withReleased(state, node, channel.released))
      return `${node}: ${formatAmount(channel.released - released, token)} taken back`
    }
    if (!all || amount <= releasing) {
      return `${node}: ${formatAmount(releasing, token)} can be taken in ${leftSeconds} s`
    }
  }
  if (amount <= 0n) return `${node}: all of it is owed for what you heard; --all takes that, too`
  await initiateRelease(writing, { key: address, node, amount })
  await memory.update((state) => withReleasing(state, node))
  const waitSeconds = await reader.releaseSeconds()
  return `${node}: ${formatAmount(amount, token)} announced; the same command takes it in ${waitSeconds} s`
}

export function describeReserve(reserve: Reserve, token: Token): string {
  const { node, owed, releasing } = reserve
  const parts = [
    `${formatAmount(heldIn(reserve), token)} for ${node}`,
    `${formatAmount(owed, token)} of it owed`,
    ...(releasing > 0n ? [`${formatAmount(releasing, token)} being released`] : []),
  ]
  return parts.join(', ')
}
