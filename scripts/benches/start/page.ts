import type { Subject } from '@hexachord/protocol/names'
import { type Connection, connect } from '@hexachord/sdk/connect'
import { findTrack } from '@hexachord/sdk/finding'
import { hlsSource, quickStart } from '@hexachord/sdk/hls-loader'
import { keyFromPrivateKey } from '@hexachord/sdk/keys'
import {
  browserPurseMemory,
  openPurse,
  ownSpender,
  type PaidPlays,
  paidPlays,
  rehearsePaying,
  termsFromIndex,
} from '@hexachord/sdk/paying'
import { openTrack, rehearse } from '@hexachord/sdk/playing'
import Hls, { type HlsConfig } from 'hls.js'

/** What the bench calls in the page. */
declare global {
  interface Window {
    bench: typeof bench
  }
}

const bench = {
  /** What an app has done when its page is there: it has met the network, and is ready to play. */
  async connect(discovery: string, creator: string): Promise<Connection> {
    const connection = await connect({ discovery: [discovery], creators: [creator] })
    await rehearse()
    return connection
  },

  /** What an app has done for a listener who pays: the purse is open and ready to pay. */
  async openPurse(connection: Connection, privateKey: string): Promise<PaidPlays> {
    const { payments } = connection
    if (payments === undefined) throw new Error('the network has no payments')
    const key = keyFromPrivateKey(privateKey)
    const memory = browserPurseMemory(key.address, window)
    const purse = await openPurse({
      ...{ connection, network: payments, spender: ownSpender(key), memory, homes: 1 },
      termsOf: termsFromIndex(connection),
    })
    await rehearsePaying(purse)
    return paidPlays(purse)
  },

  /** A click on a track of the network, found, opened, paid if need be, and checked by the SDK. @returns ms to `playing` */
  playTrack(connection: Connection, track: Subject, paying?: PaidPlays): Promise<number> {
    const clickedAt = performance.now()
    const opening = findTrack(connection, track).then((found) =>
      openTrack(connection, found, { paying, playsFromMs: 0 }),
    )
    const { url, config } = hlsSource(opening)
    return play(url, config, clickedAt)
  },

  /** A click on a playlist of a plain server, with the settings of the SDK. @returns ms to `playing` */
  playUrl: (url: string): Promise<number> => play(url, quickStart, performance.now()),
}
window.bench = bench

async function play(url: string, config: Partial<HlsConfig>, clickedAt: number): Promise<number> {
  const audio = new Audio()
  const hls = new Hls(config)
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  audio.addEventListener('playing', () => resolve(performance.now() - clickedAt), { once: true })
  hls.on(Hls.Events.ERROR, (_event, { fatal, details, error }) => {
    if (fatal) reject(new Error(`${details}: ${error?.message}`))
  })
  hls.on(Hls.Events.MEDIA_ATTACHED, () => hls.loadSource(url))
  hls.attachMedia(audio)
  try {
    const [ms] = await Promise.all([promise, audio.play()])
    return ms
  } finally {
    hls.destroy()
  }
}
