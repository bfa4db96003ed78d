import { openAsBlob } from 'node:fs'
import { stat } from 'node:fs/promises'
import path from 'node:path'
import { createMeter, playTrack } from '@hexachord/cli/playing'
import { filePurseMemory } from '@hexachord/cli/settings'
import type { Track } from '@hexachord/protocol/rest'
import type { Connection, PaymentContracts } from '@hexachord/sdk/connect'
import { findTrack } from '@hexachord/sdk/finding'
import type { HeldKey } from '@hexachord/sdk/keys'
import {
  deposit,
  type EscrowReader,
  formatAmount,
  openPurse,
  ownSpender,
  paidPlays,
  readEscrow,
  spendingKey,
  type Token,
  termsFromChain,
} from '@hexachord/sdk/paying'
import { giveSecret, premiumUploads } from '@hexachord/sdk/premium'
import { setTerms } from '@hexachord/sdk/pricing'
import { publishTrack } from '@hexachord/sdk/publishing'
import { forgetUpload, type UploadMemory, uploadTrack } from '@hexachord/sdk/uploading'
import { rpcPayer } from '@hexachord/sdk/writing'
import { Interface, JsonRpcProvider, Wallet } from 'ethers'
import { makeSampleTrack } from '../sample-music/index.ts'
import { localKey } from './local-key.ts'
import { publishedBefore, rememberPublished } from './published.ts'

/** Per 6 s, in base units of the local dollar: some 134 millionths of it, as a stream pays elsewhere. */
const unitPrice = 134n
const shares = { nodeBps: 1_500, curatorBps: 300 }
const payeeBps = [7_500, 2_500]
/** Ten local dollars, and one ether for gas; both are worth nothing. */
const pocketMoney = 10_000_000n
const gasMoney = 10n ** 18n
/** Of which so much is deposited, whenever there is less than a tenth of it. */
const deposited = 5_000_000n
const previewMs = 6_000

export type PaidJobResult = {
  /** Ids of what costs something, and of what is encrypted, too. */
  readonly paid: string
  readonly premium: string
  /** What the listener has paid for hearing both, in base units as a decimal string. */
  readonly spent: string
  readonly token: Token
}

export type PaidJobStep = {
  readonly step: 'paid' | 'premium' | 'listen'
  readonly detail: string
  readonly done?: number
  readonly total?: number
}

type Options = {
  readonly connection: Connection
  readonly artist: HeldKey
  readonly rpcUrl: string
  readonly directory: string
  readonly memory: UploadMemory
  readonly signal: AbortSignal
  readonly onStep: (step: PaidJobStep) => void
}

/**
 * Publishes a track that costs something and one that is encrypted, and hears both as somebody who pays: with a purse of
 * its own, filled with the local dollar. What an earlier start has published is only heard.
 * @returns undefined in a network without payments
 */
export async function runPaidJob(options: Options): Promise<PaidJobResult | undefined> {
  const { connection, artist, rpcUrl, directory, onStep } = options
  const { payments } = connection
  if (payments === undefined) return undefined
  const provider = new JsonRpcProvider(rpcUrl, payments.chainId, { staticNetwork: true })
  try {
    const reader = readEscrow(connection.http, rpcUrl, payments)
    const other = await localKey(directory, 'second-payee')
    await giveGas(provider, artist)
    const sell = (track: Track) =>
      setTerms({ reader, payer: rpcPayer(artist, rpcUrl) }, track.id, {
        ...{ unitPrice, ...shares, payees: [artist.address, other.address], payeeBps },
      })
    onStep({ step: 'paid', detail: 'a track that costs something' })
    const paid = await publishOnce(options, 'paid', sell)
    onStep({ step: 'premium', detail: 'a track that is encrypted' })
    const premium = await publishOnce(options, 'premium', sell)
    const listener = spendingKey(await localKey(directory, 'listener'))
    await giveMoney(provider, { payments, reader, rpcUrl }, listener)
    const heard = await listen(options, { payments, reader, listener, tracks: [paid, premium] })
    return { paid: paid.id, premium: premium.id, ...heard }
  } finally {
    provider.destroy()
  }
}

async function publishOnce(
  options: Options,
  piece: 'paid' | 'premium',
  sell: (track: Track) => Promise<unknown>,
): Promise<Track> {
  const { connection, artist, directory, memory, signal } = options
  const before = await publishedBefore(connection, directory, piece, signal)
  if (before !== undefined) return before
  const folder = path.join(directory, 'sample-music')
  const file = await makeSampleTrack({ directory: folder, form: 'short', piece, signal })
  const { size, mtimeMs } = await stat(file)
  const source = {
    filename: path.basename(file),
    content: await openAsBlob(file),
    fingerprint: `${path.resolve(file)} ${size} ${Math.round(mtimeMs)}`,
  }
  const premium = piece === 'premium' ? premiumUploads(connection, artist, { clearMs: previewMs }) : undefined
  const upload = await uploadTrack(connection, artist, source, { memory, signal, premium })
  const track = await publishTrack(
    connection,
    artist,
    upload,
    {
      title: upload.tags?.title ?? piece,
      artist: upload.tags?.artist ?? 'Hexachord',
      licence: 'CC0-1.0',
      rightsHeld: true,
    },
    { signal },
  )
  await sell(track)
  if (premium !== undefined) {
    const { refused } = await giveSecret(connection, artist, track.id, { signal })
    if (refused[0] !== undefined) throw new Error(`a key holder refuses: ${refused[0].reason}`)
  }
  await forgetUpload(memory, artist, source, { premium: premium !== undefined })
  await rememberPublished(directory, piece, track.id)
  return track
}

async function giveGas(provider: JsonRpcProvider, { address }: HeldKey): Promise<void> {
  if ((await provider.getBalance(address)) < gasMoney / 10n) {
    await provider.send('anvil_setBalance', [address, `0x${gasMoney.toString(16)}`])
  }
}

/** Anybody may make local dollars. */
async function giveMoney(
  provider: JsonRpcProvider,
  { payments, reader, rpcUrl }: { payments: PaymentContracts; reader: EscrowReader; rpcUrl: string },
  listener: HeldKey,
): Promise<void> {
  await giveGas(provider, listener)
  if ((await reader.balanceOf(listener.address)) >= deposited / 10n) return
  const payer = rpcPayer(listener, rpcUrl)
  const dollar = new Interface(['function mint(address to, uint256 amount)'])
  if ((await reader.tokenBalanceOf(listener.address)) < deposited) {
    const data = dollar.encodeFunctionData('mint', [listener.address, pocketMoney])
    const wallet = new Wallet(listener.privateKey, provider)
    await (await wallet.sendTransaction({ to: payments.payments.token, data })).wait()
  }
  await deposit({ reader, payer }, listener, deposited, Date.now())
}

async function listen(
  { connection, directory, signal, onStep }: Options,
  heard: { payments: PaymentContracts; reader: EscrowReader; listener: HeldKey; tracks: readonly Track[] },
): Promise<{ spent: string; token: Token }> {
  const { payments, reader, listener, tracks } = heard
  const token = await reader.token()
  const meter = createMeter(token)
  const memory = await filePurseMemory(path.join(directory, 'data', 'listener'), listener.address)
  try {
    const purse = await openPurse({
      ...{ connection, network: payments, spender: ownSpender(listener), memory, reader },
      termsOf: termsFromChain(reader),
      onSpend: (spending) => meter.note(spending),
    })
    for (const { id } of tracks) {
      // Who holds it may have changed since it was published.
      const track = await findTrack(connection, id, { signal })
      await playTrack(connection, track, {
        ...{ output: 'null', signal, paying: paidPlays(purse) },
        onSegment: (done, total) =>
          onStep({ step: 'listen', detail: `${track.title}: ${meter.text()}`, done, total }),
      })
    }
  } finally {
    memory.close()
  }
  const spent = meter.paid()?.total ?? '0'
  onStep({ step: 'listen', detail: `paid ${formatAmount(BigInt(spent), token)} for what was heard` })
  return { spent, token }
}
