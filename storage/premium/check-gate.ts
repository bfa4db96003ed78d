import type { ChainReader } from '@hexachord/platform/chain'
import { Problem } from '@hexachord/platform/http'
import { type Edge, followKey } from '@hexachord/protocol/actions'
import { type Address, authorOf, type Subject } from '@hexachord/protocol/names'
import type { Gate } from '@hexachord/protocol/premium'
import { Interface } from 'ethers'
import type { Catalogue } from '../catalogue/index.ts'

type Holding = Extract<Gate, { kind: 'holder' }>

const balances = new Interface([
  'function balanceOf(address account) view returns (uint256)',
  'function balanceOf(address account, uint256 id) view returns (uint256)',
])

/**
 * Lets an account through that a track's artist lets have its keys: as the chain is at the newest block that this node
 * has read, or can ask about.
 * @throws Problem 403 for others, 503 while the chain cannot be asked
 */
export async function checkGate(
  gate: Gate,
  { account, subject }: { account: Address; subject: Subject },
  {
    catalogue,
    reader,
    now,
  }: {
    catalogue: Pick<Catalogue, 'entry' | 'identity'>
    reader: Pick<ChainReader, 'call'>
    now: () => number
  },
): Promise<void> {
  if (gate.kind === 'follower') {
    const artist = authorOf(subject)
    const follows = (catalogue.entry(followKey(account, artist)) as Edge | undefined)?.on === true
    // An artist speaks by the key of today.
    const isArtist = account === catalogue.identity(artist, now()).controller
    if (!follows && !isArtist) throw closed(`only those who follow ${artist} have the keys`)
    return
  }
  const held = await balanceOf(gate, account, reader)
  if (held < BigInt(gate.least)) {
    throw closed(`only who holds at least ${gate.least} of ${gate.contract} has the keys; you hold ${held}`)
  }
}

async function balanceOf(
  gate: Holding,
  account: Address,
  reader: Pick<ChainReader, 'call'>,
): Promise<bigint> {
  const data =
    gate.standard === 'erc1155'
      ? balances.encodeFunctionData('balanceOf(address,uint256)', [account, gate.id ?? '0'])
      : balances.encodeFunctionData('balanceOf(address)', [account])
  try {
    return BigInt(await reader.call({ to: gate.contract, data }))
  } catch (cause) {
    throw new Problem({
      status: 503,
      slug: 'gate-unknown',
      title: 'Gate unknown',
      detail: `what you hold of ${gate.contract} cannot be asked now`,
      headers: { 'Retry-After': '5' },
      cause,
    })
  }
}

function closed(detail: string): Problem {
  return new Problem({ status: 403, slug: 'gate-closed', title: 'Gate closed', detail })
}
