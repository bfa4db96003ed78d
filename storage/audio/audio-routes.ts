import { Problem, parse } from '@hexachord/platform/http'
import {
  audioFileOf,
  audioFileType,
  type LoadedTrack,
  renditionName,
  usualRendition,
} from '@hexachord/protocol/manifests'
import { Router } from 'express'
import * as z from 'zod'
import { sendFile } from '../files/index.ts'
import { contentDisposition } from '../gateway/file-names.ts'
import { type Gate, takeSession } from '../gateway/index.ts'
import type { IpfsNode } from '../ipfs/index.ts'
import type { Takedowns } from '../takedowns/index.ts'
import { createServedTracks } from '../tracks/index.ts'

/** Room for the ending within what a header takes. */
const nameLimit = 190

/** Others may add parameters of their own, as programs that count downloads do. */
const querySchema = z.object({
  rendition: z.string().max(100).optional(),
  filename: z.string().min(1).max(300).optional(),
  download: z.enum(['true', 'false']).optional(),
})

/**
 * `GET /audio/:manifest`: a rendition as one MP4 file, for programs that cannot play HLS, put together from its blocks
 * and an index of them while it is sent. `?rendition=` names one as its playlist does, `aac-160` or `flac`; by default it is the best AAC.
 * `?filename=` and `?download=true` name a file to save, as for `/ipfs`.
 * @param options.takedowns what this operator refuses; by default nothing
 * @param options.gate asks for payment, and limits what is given away; by default nothing costs anything
 */
export function audioRoutes(options: {
  ipfs: Pick<IpfsNode, 'get' | 'size'>
  takedowns?: Pick<Takedowns, 'requireServed'>
  gate?: Pick<Gate, 'requireFree' | 'meter'> | undefined
}): Router {
  const { ipfs, takedowns, gate } = options
  const trackOf = createServedTracks(options)
  const router = Router()
  router.get('/audio/:manifest', async (request, response) => {
    const query = parse(querySchema, request.query)
    const track = await trackOf(request.params.manifest)
    const { name, rendition } = chosenRendition(track, query.rendition)
    takedowns?.requireServed(rendition.cid)
    if (rendition.encryption !== undefined) {
      throw new Problem({
        status: 403,
        slug: 'premium',
        detail: 'the track is encrypted: it plays from its playlist or through an app, and is no file',
      })
    }
    const audio = audioFileOf(rendition)
    const cids = audio.parts.flatMap((part) => ('cid' in part ? [part.cid] : []))
    gate?.requireFree(request, cids)
    const file = {
      ...audio,
      etag: `"${rendition.cid}.indexed.m4a"`,
      type: audioFileType,
      disposition: dispositionOf(query, name),
    }
    await sendFile(request, response, {
      ...{ ipfs, takedowns, file },
      meter:
        gate && (() => gate.meter({ request, session: takeSession(request.originalUrl).session }, false)),
    })
  })
  return router
}

function chosenRendition(track: LoadedTrack, asked: string | undefined) {
  const names = track.renditions.map((_, place) => renditionName(track, place))
  const place = asked === undefined ? usualRendition(track) : names.indexOf(asked)
  const [rendition, name] = [track.renditions[place], names[place]]
  if (rendition !== undefined && name !== undefined) return { rendition, name }
  throw new Problem({
    status: 404,
    slug: 'unknown-rendition',
    detail: `the track has no rendition ${asked}; it has ${names.join(', ')}`,
  })
}

/** Whatever a link says, what is saved is called what it is: a sound. */
function dispositionOf({ filename, download }: z.output<typeof querySchema>, name: string) {
  if (filename === undefined && download !== 'true') return undefined
  const given = (filename ?? name).slice(0, nameLimit)
  const whole = /\.(m4a|mp4)$/i.test(given) ? given : `${given}.m4a`
  return contentDisposition(download === 'true' ? 'attachment' : 'inline', whole)
}
