import { fileURLToPath } from 'node:url'
import type { Track } from '@hexachord/protocol/rest'
import { type Connection, connect } from '@hexachord/sdk/connect'
import { createKey, type HeldKey } from '@hexachord/sdk/keys'
import { deposit, priceInIndex, readEscrow } from '@hexachord/sdk/paying'
import { openTrack } from '@hexachord/sdk/playing'
import { setTerms } from '@hexachord/sdk/pricing'
import { rpcPayer } from '@hexachord/sdk/writing'
import { Interface, JsonRpcProvider, Wallet } from 'ethers'
import type { Browser, BrowserContext } from 'playwright-core'
import { launchChromium, servePage } from '../browser/index.ts'
import { makeSampleTrack } from '../sample-music/index.ts'
import { chromium, ffmpeg, ffprobe, redisServer } from '../setup/index.ts'
import { eventually } from '../testing/eventually.ts'
import { startTestNetwork } from '../testing/start-test-network.ts'
import { alternate, median, ratiosOf, rounded } from './alternate.ts'
import type { Bench } from './bench.ts'
import { publishFile } from './start/publish.ts'

/** Each takes a tenth of a second, and a browser's times spread wide. */
const leastRounds = 45
const unitPrice = 134n

/**
 * A whole local network with a free and a paid track of one length. Page and profile are fresh for each click, but for the
 * purse: it has paid the same node before, so that its reserve is on the chain. What the very first click costs, which
 * signs a reserve and waits until the node has taken it, stands beside it.
 */
export const listen: Bench = {
  name: 'listen',
  summary: 'click to playing in Chromium of a track that is paid for, over that of a free one',
  limit: { atMost: 1.1 },
  programs: [chromium, ffmpeg, ffprobe, redisServer],
  async run({ rounds, small, folder, signal, report }) {
    const closing: (() => Promise<unknown>)[] = []
    try {
      const network = await startTestNetwork({ signal })
      closing.push(network.remove)
      const { discovery, creator, chain } = network.urls
      const connection = await connect({ discovery: [discovery], creators: [creator], signal })
      const artist = createKey()
      const publish = async (piece: 'free' | 'paid') => {
        const file = await makeSampleTrack({ directory: folder, form: 'short', piece, signal })
        return publishFile(connection, file, signal, artist)
      }
      const [free, paid] = [await publish('free'), await publish('paid')]
      const listener = createKey()
      await prepareMoney(connection, chain, { artist, listener, paid })
      await untilSold(connection, paid, signal)
      const page = await servePage(fileURLToPath(new URL('start/page.ts', import.meta.url)))
      closing.push(page.close)
      const browser = await launchChromium()
      closing.push(() => browser.close())

      const at = { browser, origin: page.origin, discovery, creator, listener }
      const first = await click(at, paid, undefined)
      let { purse } = first
      const pairs = await alternate({
        ...{ rounds: small ? rounds : Math.max(rounds, leastRounds), signal },
        async ours() {
          const clicked = await click(at, paid, purse)
          purse = clicked.purse
          return clicked.ms
        },
        theirs: async () => (await click(at, free, purse)).ms,
        onPair: ({ ours, theirs }, round) =>
          report(`${round}: ${rounded(ours)} ms paid, ${rounded(theirs)} ms free`),
      })
      const { median: ratio, least, most } = ratiosOf(pairs, (ms) => ms)
      return {
        ...{ ratio, ratioLeast: least, ratioMost: most, clicks: pairs.length },
        paidPlayingMs: rounded(median(pairs.map(({ ours }) => ours))),
        freePlayingMs: rounded(median(pairs.map(({ theirs }) => theirs))),
        firstPlayingMs: rounded(first.ms),
      }
    } finally {
      for (const close of closing.reverse()) await close()
    }
  },
}

/** The artist sets a price; the listener has local dollars in the escrow. */
async function prepareMoney(
  connection: Connection,
  chain: string,
  { artist, listener, paid }: { artist: HeldKey; listener: HeldKey; paid: Track },
): Promise<void> {
  const { payments } = connection
  if (payments === undefined) throw new Error('the network has no payments')
  const provider = new JsonRpcProvider(chain, payments.chainId, { staticNetwork: true })
  try {
    for (const { address } of [artist, listener]) {
      await provider.send('anvil_setBalance', [address, '0xde0b6b3a7640000'])
    }
    const reader = readEscrow(fetch, chain, payments)
    const shares = { nodeBps: 1_500, curatorBps: 0, payees: [artist.address], payeeBps: [10_000] }
    await setTerms({ reader, payer: rpcPayer(artist, chain) }, paid.id, { unitPrice, ...shares })
    const dollar = new Interface(['function mint(address to, uint256 amount)'])
    const data = dollar.encodeFunctionData('mint', [listener.address, 10_000_000n])
    const wallet = new Wallet(listener.privateKey, provider)
    await (await wallet.sendTransaction({ to: payments.payments.token, data })).wait()
    await deposit({ reader, payer: rpcPayer(listener, chain) }, listener, 10_000_000n, Date.now())
  } finally {
    provider.destroy()
  }
}

/** The index names its price, and all of its holders ask for it. */
async function untilSold(connection: Connection, paid: Track, signal: AbortSignal): Promise<void> {
  const { loaded } = await openTrack(connection, paid, { signal })
  const cid = loaded.renditions[0]?.segments[0]?.[2]['/']
  const asked = async () => {
    const answers = paid.holders.map(({ endpoint }) =>
      fetch(`${endpoint}/ipfs/${cid}?format=raw`, { signal }),
    )
    const statuses = await Promise.all(
      answers.map(async (answer) => {
        const { status, body } = await answer
        await body?.cancel()
        return status
      }),
    )
    return { statuses, price: await priceInIndex(connection, paid.id, { signal }) }
  }
  await eventually(asked, {
    describe: 'the track is sold',
    deadlineMs: 30_000,
    until: ({ statuses, price }) => price !== undefined && statuses.every((status) => status === 402),
  })
}

type Purse = Awaited<ReturnType<BrowserContext['storageState']>> | undefined

/** @param purse what a browser remembers of it @returns what it remembers afterwards */
async function click(
  at: { browser: Browser; origin: string; discovery: string; creator: string; listener: HeldKey },
  track: Track,
  purse: Purse,
): Promise<{ ms: number; purse: Purse }> {
  const { browser, origin, discovery, creator, listener } = at
  const context = await browser.newContext(purse === undefined ? {} : { storageState: purse })
  try {
    const page = await context.newPage()
    await page.goto(origin)
    await page.waitForFunction('window.bench !== undefined')
    const connection = await page.evaluateHandle(([provider, node]) => window.bench.connect(provider, node), [
      discovery,
      creator,
    ] as const)
    const paying = await page.evaluateHandle(([met, key]) => window.bench.openPurse(met, key), [
      connection,
      listener.privateKey,
    ] as const)
    const ms = await page.evaluate(([met, id, plays]) => window.bench.playTrack(met, id, plays), [
      connection,
      track.id,
      paying,
    ] as const)
    return { ms, purse: await context.storageState({ indexedDB: true }) }
  } finally {
    await context.close()
  }
}
