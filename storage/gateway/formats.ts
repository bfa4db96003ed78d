import { Problem } from '@hexachord/platform/http'
import type { Codec } from '@hexachord/protocol/cids'

/** How a block is answered: verbatim, with what it links to, as the JSON that it is, or as a plain file. */
export type Format = 'raw' | 'car' | 'dag-json' | 'json' | 'file'

export type ChosenFormat = {
  readonly format: Format
  /** Whether the URL alone would not have said so, or Accept says another, so that caches are told the one that does. */
  readonly tellLocation: boolean
}

const mediaTypes: Readonly<Record<string, Format>> = {
  'application/vnd.ipld.raw': 'raw',
  'application/vnd.ipld.car': 'car',
  'application/vnd.ipld.dag-json': 'dag-json',
  'application/json': 'json',
}

/** Formats of the gateway specification that would need another kind of block, or a conversion (IPIP-524). */
const neverMade = {
  names: new Set(['dag-cbor', 'cbor', 'tar', 'ipns-record']),
  mediaTypes: new Set([
    'application/vnd.ipld.dag-cbor',
    'application/cbor',
    'application/x-tar',
    'application/vnd.ipfs.ipns-record',
  ]),
}

const names: Readonly<Record<string, Format>> = {
  raw: 'raw',
  car: 'car',
  'dag-json': 'dag-json',
  json: 'json',
}

/**
 * What to answer with. `?format=` wins over Accept; of what Accept lists the highest `q` wins, and a named IPLD type
 * over a wildcard of the same `q`. Anything else that a browser or player may list means the plain file.
 * @throws Problem 400 for an unknown `format`, 406 for one in which this block cannot be given
 */
export function chooseFormat(query: URLSearchParams, accept: string | undefined, codec: Codec): ChosenFormat {
  const asked = query.get('format')
  if (asked !== null) {
    const format = formatOfName(asked, codec)
    return { format, tellLocation: namesAnother(accept, format) }
  }
  if (accept === undefined || accept === '') return { format: 'file', tellLocation: false }
  const candidates = acceptedTypes(accept)
    .map(({ type, q }) => ({ format: formatOfMediaType(type, codec), q }))
    .filter((candidate) => candidate.format !== null)
  const most = Math.max(...candidates.map(({ q }) => q))
  const best = candidates.filter(({ q }) => q === most)
  const chosen = best.find(({ format }) => format !== 'file') ?? best[0]
  if (chosen?.format == null) throw notAcceptable(accept, codec)
  return { format: chosen.format, tellLocation: chosen.format !== 'file' }
}

/** Whether Accept lists a format of gateways, and not this one. */
function namesAnother(accept: string | undefined, format: Format): boolean {
  const named = acceptedTypes(accept ?? '').flatMap(({ type }) =>
    Object.hasOwn(mediaTypes, type) ? [mediaTypes[type]] : [],
  )
  return named.length > 0 && !named.includes(format)
}

/** Parameters of the CAR type that a client named in Accept, such as `version` and `dups`. */
export function carParameters(accept: string | undefined): ReadonlyMap<string, string> {
  const car = acceptedTypes(accept ?? '').find(({ type }) => mediaTypes[type] === 'car')
  return car?.parameters ?? new Map()
}

function formatOfName(name: string, codec: Codec): Format {
  const format = Object.hasOwn(names, name) ? names[name] : undefined
  if (format === undefined && !neverMade.names.has(name)) {
    throw new Problem({
      status: 400,
      slug: 'unknown-format',
      title: 'Unknown format',
      detail: `format '${name.slice(0, 40)}' is not known; raw, car, dag-json and json are`,
    })
  }
  if (format === undefined || !canBe(format, codec)) throw notAcceptable(name, codec)
  return format
}

function formatOfMediaType(type: string, codec: Codec): Format | null {
  const format = Object.hasOwn(mediaTypes, type) ? mediaTypes[type] : undefined
  if (format !== undefined) return canBe(format, codec) ? format : null
  return neverMade.mediaTypes.has(type) ? null : 'file'
}

function canBe(format: Format, codec: Codec): boolean {
  return codec === 'dag-json' || (format !== 'dag-json' && format !== 'json')
}

type AcceptedType = {
  readonly type: string
  readonly q: number
  readonly parameters: ReadonlyMap<string, string>
}

/** More types than any program sends. */
const acceptLimit = 64

function acceptedTypes(accept: string): AcceptedType[] {
  return accept
    .split(',', acceptLimit)
    .map((item) => {
      const [type = '', ...rest] = item.split(';').map((part) => part.trim())
      const parameters = new Map(
        rest.map((part) => {
          const [name = '', value = ''] = part.split('=', 2)
          return [name.trim().toLowerCase(), value.trim().replaceAll('"', '')]
        }),
      )
      const q = Number(parameters.get('q') ?? 1)
      return { type: type.toLowerCase(), q: Number.isFinite(q) ? q : 0, parameters }
    })
    .filter(({ type, q }) => type !== '' && q > 0)
}

function notAcceptable(asked: string, codec: Codec): Problem {
  return new Problem({
    status: 406,
    slug: 'no-such-representation',
    detail: `a ${codec} block cannot be given as ${asked.slice(0, 80)}; blocks are not converted here (IPIP-524)`,
  })
}
