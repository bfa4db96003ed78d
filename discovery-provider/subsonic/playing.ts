import { pictureUrl } from '../reading/pictures.ts'
import { readArtists } from './artists.ts'
import { SubsonicError } from './errors.ts'
import { authorOf, notFound, trackOf } from './ids.ts'
import type { Asked, Methods, SubsonicParts } from './method.ts'
import { streamUrl } from './stream-url.ts'

export function playingMethods(parts: SubsonicParts): Methods {
  const { postgres, liveHolders, plays } = parts

  const toAudio = async ({ parameters }: Asked) => ({
    location: await streamUrl(parts, trackOf(parameters.required('id'))),
  })

  return {
    stream: toAudio,
    download: toAudio,
    async getCoverArt({ parameters }) {
      const id = parameters.required('id')
      // Covers of tracks are named in their manifests, which the index does not read.
      if (!id.startsWith('ar-')) throw notFound('cover', id)
      const [artist] = await readArtists(postgres, [authorOf(id)])
      if (artist === undefined || artist.picture === null) throw notFound('cover', id)
      const url = await pictureUrl({ database: postgres, liveHolders }, artist.picture)
      if (url === undefined) throw notFound('cover', id)
      return { location: new URL(url) }
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
