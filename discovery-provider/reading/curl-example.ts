import type { Method } from './route.ts'

/** What of an operation a request to it is made of. */
type Asked = {
  readonly method: Method
  /** As OpenAPI writes it, `/v1/tracks/{id}`. */
  readonly path: string
  readonly parameters: readonly {
    readonly name: string
    readonly in: 'path' | 'query'
    readonly required: boolean
    readonly schema: { readonly examples?: readonly unknown[] }
  }[]
  /** What the header `Authorization` carries, as a shell variable holds it. */
  readonly signed: string | undefined
  /** What kind of answer is to be seen: its body, where it leads to, or a stream without end. */
  readonly shows: 'body' | 'place' | 'stream'
}

/** A request with curl, from the examples of the parameters' schemas; undefined where one that is needed has none.
 * @param origin under which the API is reached */
export function curlExample(
  { method, path, parameters, signed, shows }: Asked,
  origin: string,
): string | undefined {
  const query = new URLSearchParams()
  let filled = path
  for (const { name, in: place, required, schema } of parameters) {
    const [example] = schema.examples ?? []
    if (example === undefined) {
      if (required) return undefined
    } else if (place === 'query') query.set(name, String(example))
    else filled = filled.replace(`{${name}}`, encodeURIComponent(String(example)))
  }
  const url = `${origin}${filled}${query.size === 0 ? '' : `?${query}`}`
  return [
    'curl',
    ...(method === 'get' ? [] : ['-X', method.toUpperCase()]),
    // A redirect has no body, and curl keeps back the first lines of a stream.
    ...{ body: [], place: ['-i'], stream: ['-N'] }[shows],
    ...(signed === undefined ? [] : ['-H', `"Authorization: Hexachord $${signed}"`]),
    `'${url.replaceAll("'", '%27')}'`,
  ].join(' ')
}
