import { connect } from '@hexachord/sdk/connect'
import { findTrack } from '@hexachord/sdk/finding'
import { hlsSource } from '@hexachord/sdk/hls-loader'
import { createKey } from '@hexachord/sdk/keys'
import { openTrack } from '@hexachord/sdk/playing'
import { publishTrack } from '@hexachord/sdk/publishing'
import { sourceOf, uploadTrack } from '@hexachord/sdk/uploading'
import type { Heard, PlayerSettings, Publication, Published, SdkPlayback } from './messages.ts'
import { play } from './player.ts'

/** What the test calls in the page. */
declare global {
  interface Window {
    app: typeof app
  }
}

const app = {
  /** As an app does: finds the track, opens it, plays it through the SDK. */
  async playTrack(settings: SdkPlayback): Promise<Heard> {
    const { discovery, creators, track, ...rest } = settings
    const startedAt = performance.now()
    const connection = await connect({ discovery, creators })
    const faults: string[] = []
    const opening = findTrack(connection, track).then((found) =>
      openTrack(connection, found, {
        onFault: ({ source, kind }) => faults.push(`${source} ${kind}`),
      }),
    )
    const { url, config } = hlsSource(opening)
    const heard = await play(url, config, { ...rest, startedAt })
    const blocks = (await opening).quality().map(({ source, blocks }) => ({ source, blocks }))
    return { ...heard, faults, blocks }
  },

  /** As any page with hls.js does. */
  playUrl: (url: string, settings: PlayerSettings): Promise<Heard> => play(url, {}, settings),

  /** As an app does for a file that someone has chosen: with a new key, and through CORS. */
  async publishFile({ discovery, creators, name, base64, details }: Publication): Promise<Published> {
    const connection = await connect({ discovery, creators })
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
    const account = createKey()
    const sent: number[] = []
    const states = new Set<string>()
    const upload = await uploadTrack(connection, account, sourceOf(new File([bytes], name)), {
      onProgress: (progress) => {
        if (progress.step === 'sending') sent.push(progress.sentBytes)
        else if (progress.step !== 'moving') states.add(progress.upload.state)
      },
    })
    const { id } = await publishTrack(connection, account, upload, { ...details, rightsHeld: true })
    return { track: id, sent, states: [...states] }
  },
}
window.app = app
