import type { Subject } from '@hexachord/protocol/names'
import { type Connection, connect } from '@hexachord/sdk/connect'
import { findTrack } from '@hexachord/sdk/finding'
import { hlsSource, quickStart } from '@hexachord/sdk/hls-loader'
import { openTrack } from '@hexachord/sdk/playing'
import Hls, { type HlsConfig } from 'hls.js'

/** What the bench calls in the page. */
declare global {
  interface Window {
    bench: typeof bench
  }
}

const bench = {
  /** What an app has done when its page is there: it has met the network. */
  connect: (discovery: string, creator: string): Promise<Connection> =>
    connect({ discovery: [discovery], creators: [creator] }),

  /** A click on a track of the network, found, opened and checked by the SDK. @returns ms to `playing` */
  playTrack(connection: Connection, track: Subject): Promise<number> {
    const clickedAt = performance.now()
    const opening = findTrack(connection, track).then((found) => openTrack(connection, found))
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
