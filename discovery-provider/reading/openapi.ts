import { cidSchema } from '@hexachord/protocol/cids'
import { addressSchema, hashSchema, subjectSchema } from '@hexachord/protocol/names'
import { discoveryStatusSchema, problemSchema, trackSchema } from '@hexachord/protocol/rest'
import * as z from 'zod'
import { eventsQuery } from '../events/index.ts'
import { curlExample } from './curl-example.ts'
import type { Answers, Method, Route, Signed } from './route.ts'

/** What of OpenAPI 3.1 this document uses. */
export type OpenApiDocument = {
  openapi: '3.1.0'
  info: { title: string; version: string; description: string; license: { name: string; identifier: string } }
  servers: { url: string }[]
  paths: Record<string, Partial<Record<Method, Operation>>>
  components: { schemas: Record<string, object>; securitySchemes: Record<string, object> }
}

export type Operation = {
  tags: string[]
  summary: string
  security?: Record<string, never[]>[]
  parameters: {
    name: string
    in: 'path' | 'query'
    required: boolean
    schema: { examples?: readonly unknown[] }
  }[]
  /** How to ask with curl, from the examples of the parameters. */
  'x-codeSamples'?: { lang: 'Shell'; label: 'curl'; source: string }[]
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>
}

const nothing = z.strictObject({})

type NamedSchemas = Map<z.ZodType, string>

/** Names are checked by code of ours, which JSON Schema sees only as "anything". */
const patterns = new Map<unknown, string>([
  [addressSchema, '^0x[0-9a-f]{40}$'],
  [subjectSchema, '^0x[0-9a-f]{40}-(0|[1-9][0-9]{0,28})$'],
  [hashSchema, '^0x[0-9a-f]{64}$'],
  [cidSchema, '^b[a-z2-7]{58,}$'],
])

const description =
  'The catalogue of a Hexachord network as one discovery provider sees it. Big integers are decimal strings, times ' +
  'integer milliseconds, errors RFC 9457 problem details. A subject is 0x<40 lower-case hex digits>-<number>. Every ' +
  'entity names block, log index and digest of its last action, so that the answer can be checked on the chain. Lists go ' +
  'on with the cursor `next` of the page before. Answers have an ETag, and any origin may read them.'

/** The shell variables that hold signed messages in examples. */
const signedVariables: Record<Signed, string> = { token: 'TOKEN', 'app-password': 'APP_PASSWORD_MESSAGE' }

const securitySchemes = {
  token: authorization('Token', 'this provider and when it expires'),
  'app-password': authorization('AppPassword', 'this provider and the device'),
}

function authorization(message: string, names: string): object {
  const description = `\`Hexachord <message>\`: the EIP-712 message ${message}, signed by who controls the account, which names the account, ${names}`
  return { type: 'apiKey', in: 'header', name: 'Authorization', description }
}

/** Routes that are not made from {@link Route}s: those every service has, and this document itself. */
const commonAnswers: Record<string, { summary: string; query?: z.ZodObject; answers: Answers }> = {
  '/health': { summary: 'Whether the process answers', answers: { 200: { description: 'It does' } } },
  '/ready': {
    summary: 'Whether it can be used: database, chain, caught up once',
    answers: { 200: { description: 'It can' }, 503: { description: 'Which check fails, and why' } },
  },
  '/status': {
    summary: 'How far the index is, and its state hash',
    answers: {
      200: { description: 'The status', name: 'DiscoveryStatus', schema: discoveryStatusSchema },
    },
  },
  '/v1/events': {
    query: eventsQuery,
    summary:
      'What is new, as server-sent events: track, plays, state, reorg. Goes on after Last-Event-ID, or after an id as ?after=. ' +
      'A scheduled track is told of only to whoever asks from a place before it once it is out',
    answers: {
      200: { description: 'Events without end', type: 'text/event-stream' },
      400: { description: 'The id is none' },
      429: { description: 'Too many listen from one address already' },
      503: { description: 'Too many listen already, or the database does not answer (`database-away`)' },
    },
  },
  '/openapi.json': { summary: 'This document', answers: { 200: { description: 'OpenAPI 3.1' } } },
}

/** The document of the API, made from the very schemas that check requests and describe answers.
 * @param publicUrl origin under which others reach the API */
export function openApiDocument(
  routes: readonly Route[],
  { version, publicUrl }: { version: string; publicUrl: string },
): OpenApiDocument {
  const names: NamedSchemas = new Map<z.ZodType, string>([
    [problemSchema, 'Problem'],
    [trackSchema, 'Track'],
  ])
  const answers = [...routes, ...Object.values(commonAnswers)].flatMap((one) => Object.values(one.answers))
  for (const { name, schema } of answers) {
    if (schema !== undefined && name !== undefined) names.set(schema, name)
  }
  const documented: Documented[] = [
    ...routes.map((route) => ({ ...route, answers: withCommonProblems(route.answers) })),
    ...Object.entries(commonAnswers).map(([path, one]) => ({ path, ...one })),
  ]
  const paths: OpenApiDocument['paths'] = {}
  for (const one of documented) {
    const path = one.path.replaceAll(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [one.method ?? 'get']: operationOf(path, one, names, publicUrl) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Hexachord discovery',
      version,
      description,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: publicUrl }],
    paths,
    components: { schemas: componentsOf(names), securitySchemes },
  }
}

type Documented = Partial<Route> & Pick<Route, 'path' | 'summary' | 'answers'>

/** Problems that any route may answer. */
const commonProblems: Answers = {
  400: { description: 'The request is not valid' },
  429: { description: 'Too many requests from one address; `Retry-After` says when to go on' },
  503: {
    description: 'The database does not answer (`database-away`); `Retry-After` says when to ask again',
  },
}

/** What a route says of one of their statuses stands before them. */
function withCommonProblems(answers: Answers): Answers {
  const common = Object.entries(commonProblems).map(([status, { description }]) => {
    const own = answers[Number(status)]?.description
    return [status, { description: own === undefined ? description : `${own}. ${description}` }]
  })
  return { ...answers, ...Object.fromEntries(common) }
}

function operationOf(
  path: string,
  { method = 'get', summary, params = nothing, query = nothing, signed, answers }: Documented,
  names: NamedSchemas,
  publicUrl: string,
): Operation {
  const parameters = [...parametersOf(params, 'path'), ...parametersOf(query, 'query')]
  const variable = signed && signedVariables[signed]
  const shows = answers[302] ? 'place' : answers[200]?.type === 'text/event-stream' ? 'stream' : 'body'
  const source = curlExample({ method, path, parameters, signed: variable, shows }, publicUrl)
  return {
    tags: [tagOf(path)],
    summary,
    ...(signed === undefined ? {} : { security: [{ [signed]: [] }] }),
    parameters,
    responses: responsesOf(answers, names),
    ...(source === undefined ? {} : { 'x-codeSamples': [{ lang: 'Shell', label: 'curl', source }] }),
  }
}

/** Under what an operation stands on a page: what it reads, or for whom it is. */
function tagOf(path: string): string {
  const [first = '', second] = path.slice(1).split('/')
  if (first === 'pioneer') return 'pioneer'
  if (second === undefined) return 'provider'
  return first === 'v1' ? second : 'pages'
}

function parametersOf(schema: z.ZodObject, place: 'path' | 'query'): Operation['parameters'] {
  const { properties = {}, required = [] } = jsonSchemaOf(schema)
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: required.includes(name),
    schema: property as { examples?: readonly unknown[] },
  }))
}

function responsesOf(answers: Answers, names: NamedSchemas): Operation['responses'] {
  return Object.fromEntries(
    Object.entries(answers).map(([status, { description, schema, type }]) => {
      if (Number(status) >= 400) return [status, problemResponse(description)]
      if (type !== undefined)
        return [status, { description, content: { [type]: { schema: { type: 'string' } } } }]
      if (schema === undefined) return [status, { description }]
      const name = names.get(schema)
      const content = name === undefined ? jsonSchemaOf(schema) : { $ref: reference(name) }
      return [status, { description, content: { 'application/json': { schema: content } } }]
    }),
  )
}

function problemResponse(description: string): Operation['responses'][string] {
  return { description, content: { 'application/problem+json': { schema: { $ref: reference('Problem') } } } }
}

function componentsOf(names: NamedSchemas): Record<string, object> {
  const registry = z.registry<{ id: string }>()
  for (const [schema, id] of names) registry.add(schema, { id })
  const { schemas } = z.toJSONSchema(registry, { ...conversion, uri: reference })
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _, $id: __, ...schema }]) => [name, schema]),
  )
}

function jsonSchemaOf(schema: z.ZodType) {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, conversion)
  return rest
}

const conversion = {
  io: 'input',
  unrepresentable: 'any',
  override({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: Record<string, unknown> }) {
    // With examples it is a child of the schema itself.
    const pattern = patterns.get(zodSchema) ?? patterns.get(zodSchema._zod.parent)
    if (pattern !== undefined) Object.assign(jsonSchema, { type: 'string', pattern })
  },
} as const

function reference(name: string): string {
  return `#/components/schemas/${name}`
}
