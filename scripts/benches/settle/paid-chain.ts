import path from 'node:path'
import { deployNetwork } from '@hexachord/contracts/deployment'
import { localDollarAbi, streamEscrowAbi, trackRegistryAbi } from '@hexachord/contracts/generated'
import { type Address, type Hash, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import { type Line, packLines, paymentDomains } from '@hexachord/protocol/payments'
import { type Domain, signMessage } from '@hexachord/protocol/signing'
import { Contract, id, type JsonRpcSigner, Wallet } from 'ethers'
import { quickProvider } from '../../local-network/chain.ts'
import { localRules } from '../../local-network/contracts.ts'
import { createMiner, startAnvil } from '../../local-network/engines/index.ts'
import { mined } from '../../local-network/mined.ts'
import { freePort } from '../../testing/index.ts'

/** What a listener owes for a time of listening, by track. */
export type Listened = { readonly listener: number; readonly lines: readonly Line[] }

/** A chain with an escrow, tracks of one artist and listeners with reserves for one node. All return gas. */
export type PaidChain = {
  readonly tracks: readonly Hash[]
  /** The same for every listener: each deposits, and reserves for the node by signature. */
  deposit(listener: number, amount: bigint): Promise<bigint>
  reserve(listener: number, total: bigint): Promise<bigint>
  /** All in one transaction. */
  redeem(listened: readonly Listened[]): Promise<bigint>
  distribute(track: Hash): Promise<bigint>
  close(): Promise<void>
}

// Above what any of them takes, and below what chains accept of a transaction (EIP-7825).
const gasLimit = 16_000_000

export async function startPaidChain(options: {
  folder: string
  trackCount: number
  signal: AbortSignal
}): Promise<PaidChain> {
  const { folder, trackCount, signal } = options
  const directory = path.join(folder, 'chain')
  const anvil = await startAnvil({ directory, port: await freePort(), signal })
  const miner = createMiner({ rpcUrl: anvil.url, everyMs: 5 })
  const provider = quickProvider(anvil.url)
  async function close(): Promise<void> {
    provider.destroy()
    await miner.close()
    await anvil.close()
  }
  try {
    const treasury = await provider.getSigner(0)
    const node = await provider.getSigner(1)
    const { payments, chainId } = await deployNetwork({
      ...{ signer: treasury, name: 'bench', ...localRules, signal },
    })
    if (payments === undefined) throw new Error('the network has no payments')
    const escrow = new Contract(payments.streamEscrow, streamEscrowAbi)
    const dollar = new Contract(payments.token, localDollarAbi)
    const send = (from: JsonRpcSigner, to: Contract, name: string, ...args: unknown[]) =>
      gasOf(from, to, name, args)

    await send(treasury, dollar, 'mint', treasury.address, 10n ** 15n)
    await send(treasury, dollar, 'approve', payments.streamEscrow, 10n ** 15n)
    const artist = await provider.getSigner(2)
    const tracks = await registerTracks(
      artist,
      new Contract(payments.trackRegistry, trackRegistryAbi),
      trackCount,
    )
    const domain = paymentDomains({ chainId, payments }).escrow
    const settled = new Map<number, bigint>()
    return {
      tracks,
      close,
      deposit: (listener, amount) => send(treasury, escrow, 'depositFor', walletOf(listener).address, amount),
      async reserve(listener, total) {
        const wallet = walletOf(listener)
        const deadline = 2n ** 64n
        const message = { payer: wallet.address as Address, node: node.address as Address, total, deadline }
        const signature = await signMessage(wallet, domain, 'Reserve', message)
        return send(node, escrow, 'reserveBySig', wallet.address, node.address, total, deadline, signature)
      },
      async redeem(listened) {
        const claims = await Promise.all(
          listened.map((one) => signClaim(domain, node.address as Address, one, settled)),
        )
        return send(node, escrow, 'redeem', node.address, claims)
      },
      distribute: (track) => send(treasury, escrow, 'distribute', track, 1),
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function registerTracks(artist: JsonRpcSigner, registry: Contract, count: number): Promise<Hash[]> {
  const author = artist.address.toLowerCase() as Address
  const tracks = Array.from({ length: count }, (_, index) =>
    subjectToBytes32(subjectOf(author, BigInt(index + 1))),
  )
  const payees = [author, '0x1111111111111111111111111111111111111111']
  const terms = { unitPrice: 134n, nodeBps: 1_500, curatorBps: 300, payees, payeeBps: [6_667, 3_333] }
  for (const track of tracks) await gasOf(artist, registry, 'setTerms', [track, terms])
  return tracks
}

async function signClaim(
  domain: Domain,
  node: Address,
  { listener, lines: items }: Listened,
  settled: Map<number, bigint>,
) {
  const wallet = walletOf(listener)
  const payer = wallet.address as Address
  const base = settled.get(listener) ?? 0n
  const cumulative = base + items.reduce((sum, { amount }) => sum + amount, 0n)
  settled.set(listener, cumulative)
  const lines = packLines(items)
  const signature = await signMessage(wallet, domain, 'Voucher', { payer, node, base, cumulative, lines })
  return { payer, base, cumulative, lines, signature }
}

async function gasOf(from: JsonRpcSigner, to: Contract, name: string, args: unknown[]): Promise<bigint> {
  const sent = await from.sendTransaction({
    to: await to.getAddress(),
    data: to.interface.encodeFunctionData(name, args),
    gasLimit,
  })
  await mined(sent)
  const receipt = await sent.provider.getTransactionReceipt(sent.hash)
  if (receipt === null) throw new Error(`${name} has no receipt`)
  return receipt.gasUsed
}

function walletOf(listener: number): Wallet {
  return new Wallet(id(`listener ${listener}`))
}
