import { coverUrl } from './cover-url.ts'
import { SubsonicError } from './errors.ts'
import { trackOf } from './ids.ts'
import type { Methods, SubsonicParts } from './method.ts'
import { streamUrl } from './stream-url.ts'

export function playingMethods(parts: SubsonicParts): Methods {
  const { shelf, plays } = parts

  return {
    async stream({ parameters }) {
      const track = trackOf(parameters.required('id'))
      const kbits = parameters.whole('maxBitRate', { least: 0, most: 1_000_000, instead: 0 })
      // `raw` is the file as songs tell of it. All others are in the one format that there is.
      const isLimited = kbits > 0 && parameters.text('format') !== 'raw'
      return { location: await streamUrl(parts, track, isLimited ? kbits : undefined) }
    },
    async download({ parameters }) {
      return { location: await streamUrl(parts, trackOf(parameters.required('id'))) }
    },
    async getCoverArt({ parameters }) {
      const id = parameters.required('id')
      const size = parameters.whole('size', { least: 1, most: 10_000, instead: 10_000 })
      await shelf.putInOrder()
      return { location: await coverUrl(parts, id, size) }
    },
    async scrobble({ parameters, login, client }) {
      const tracks = parameters.list('id').map(trackOf)
      if (tracks.length === 0) throw new SubsonicError('missingParameter', "the parameter 'id' is missing")
      // What is being played just now is nobody's business.
      if (!parameters.flag('submission', true)) return {}
      const times = parameters.list('time')
      const heard = tracks.map((what, index) => ({ what, playedAtMs: Number(times[index]) }))
      await plays.count({ passwordId: login.passwordId, client }, heard, async (found) => found)
      return {}
    },
  }
}
