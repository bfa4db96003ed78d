import { cidSchema } from '@hexachord/protocol/cids'
import { addressSchema, hashSchema, subjectSchema } from '@hexachord/protocol/names'
import { discoveryStatusSchema, problemSchema } from '@hexachord/protocol/rest'
import * as z from 'zod'
import type { Answers, Route } from './route.ts'

/** What of OpenAPI 3.1 this document uses. */
export type OpenApiDocument = {
  openapi: '3.1.0'
  info: { title: string; version: string; description: string; license: { name: string; identifier: string } }
  servers: { url: string }[]
  paths: Record<string, { get: Operation }>
  components: { schemas: Record<string, object> }
}

type Operation = {
  summary: string
  parameters: { name: string; in: 'path' | 'query'; required: boolean; schema: object }[]
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>
}

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
  'entity names block, log index and digest of its last action, so that the answer can be checked on the chain.'

/** Routes that are not made from {@link Route}s: those every service has, and this document itself. */
const commonAnswers: Record<string, { summary: string; answers: Answers }> = {
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
  '/openapi.json': { summary: 'This document', answers: { 200: { description: 'OpenAPI 3.1' } } },
}

/** The document of the API, made from the very schemas that check requests and describe answers.
 * @param publicUrl origin under which others reach the API */
export function openApiDocument(
  routes: readonly Route[],
  { version, publicUrl }: { version: string; publicUrl: string },
): OpenApiDocument {
  const names: NamedSchemas = new Map([[problemSchema, 'Problem']])
  const answers = [...routes, ...Object.values(commonAnswers)].flatMap((one) => Object.values(one.answers))
  for (const { name, schema } of answers) {
    if (schema !== undefined && name !== undefined) names.set(schema, name)
  }
  const operations = [
    ...routes.map((route): [string, Operation] => [
      route.path.replaceAll(/:(\w+)/g, '{$1}'),
      {
        summary: route.summary,
        parameters: [...parametersOf(route.params, 'path'), ...parametersOf(route.query, 'query')],
        responses: { ...responsesOf(route.answers, names), 400: problemResponse('The request is not valid') },
      },
    ]),
    ...Object.entries(commonAnswers).map(([path, one]): [string, Operation] => [
      path,
      { summary: one.summary, parameters: [], responses: responsesOf(one.answers, names) },
    ]),
  ]
  return {
    openapi: '3.1.0',
    info: {
      title: 'Hexachord discovery',
      version,
      description,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: publicUrl }],
    paths: Object.fromEntries(operations.map(([path, operation]) => [path, { get: operation }])),
    components: { schemas: componentsOf(names) },
  }
}

function parametersOf(schema: z.ZodObject, place: 'path' | 'query'): Operation['parameters'] {
  const { properties = {}, required = [] } = jsonSchemaOf(schema)
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: required.includes(name),
    schema: property as object,
  }))
}

function responsesOf(answers: Answers, names: NamedSchemas): Operation['responses'] {
  return Object.fromEntries(
    Object.entries(answers).map(([status, { description, schema }]) => {
      if (Number(status) >= 400) return [status, problemResponse(description)]
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
  override({ zodSchema, jsonSchema }: { zodSchema: unknown; jsonSchema: Record<string, unknown> }) {
    const pattern = patterns.get(zodSchema)
    if (pattern !== undefined) Object.assign(jsonSchema, { type: 'string', pattern })
  },
} as const

function reference(name: string): string {
  return `#/components/schemas/${name}`
}
