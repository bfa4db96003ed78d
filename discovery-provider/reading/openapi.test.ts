import { readFile } from 'node:fs/promises'
import { createGuardedFetch } from '@hexachord/platform/http'
import { afterAll, describe, expect, test } from '@jest/globals'
import type { Express } from 'express'
import * as z from 'zod'
import { unreadApi } from '../fixtures/unread-api.ts'
import { methodsOf } from '../subsonic/handler.ts'
import type { SubsonicParts } from '../subsonic/method.ts'
import { type OpenApiDocument, openApiDocument } from './openapi.ts'
import { type Answer, route } from './route.ts'

// Routes are made, not asked: nothing here reads.
const fetches = createGuardedFetch()
afterAll(fetches.close)
const api = () => unreadApi(fetches)

type Layer = {
  route?: { path: string; methods: Record<string, boolean> }
  handle?: { stack?: Layer[] }
}

/** Method and path of every route of an app, those of routers inside it too. */
function routesOf(layers: readonly Layer[]): string[] {
  return layers.flatMap(({ route, handle }) =>
    route
      ? Object.keys(route.methods).map((method) => `${method} ${route.path}`)
      : routesOf(handle?.stack ?? []),
  )
}

/** Every operation that the document tells of. */
function operationsOf({ paths }: OpenApiDocument) {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })),
  )
}

async function documentOf(app: Express): Promise<OpenApiDocument> {
  const server = app.listen(0, '127.0.0.1')
  try {
    await new Promise((resolve) => server.once('listening', resolve))
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
    const response = await fetch(`http://127.0.0.1:${address.port}/openapi.json`)
    expect(response.headers.get('content-type')).toMatch(/^application\/json/)
    return (await response.json()) as OpenApiDocument
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

async function guide(): Promise<string> {
  return readFile(`${import.meta.dirname}/../../docs/api.md`, 'utf8')
}

describe('docs/api.md', () => {
  test('has each route that the document names in its tables, and no other', async () => {
    const text = await guide()
    // Before the first heading stand prefixes.
    const rows = text.slice(text.indexOf('\n## ')).matchAll(/^\| (?:(POST|DELETE) )?`(\/[^`]*)` \|/gm)
    const told = [...rows].map(([, method = 'GET', path]) => `${method.toLowerCase()} ${path}`)
    const named = operationsOf(await documentOf(api())).map(
      ({ method, path }) => `${method} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
    )
    expect(told.sort()).toEqual(named.sort())
  })

  test('has each method of OpenSubsonic that is answered in its table, and no other', async () => {
    const text = await guide()
    const table = text.slice(text.indexOf('| what | methods |'), text.indexOf('Every other method'))
    const told = [...table.matchAll(/^\|[^|]*\|([^|]*)\|$/gm)].flatMap(([, methods = '']) =>
      [...methods.matchAll(/`(\w+)`/g)].map(([, method]) => method),
    )
    // They are named, not asked.
    const parts = {} as SubsonicParts
    const answered = Object.keys(methodsOf(parts))
    expect(told.sort()).toEqual([...answered, 'getOpenSubsonicExtensions'].sort())
  })
})

describe('the OpenAPI document', () => {
  test('names every route that is served, and no other', async () => {
    const app = api()
    const document = await documentOf(app)
    const served = routesOf((app.router as unknown as { stack: Layer[] }).stack)
    expect(
      operationsOf(document)
        .map(({ method, path }) => `${method} ${path}`)
        .sort(),
    ).toEqual(served.map((path) => path.replaceAll(/:(\w+)/g, '{$1}')).sort())
    expect(served.length).toBeGreaterThan(12)
  })

  test('says of every route that the database may be away, beside what else makes it unavailable', async () => {
    const told = operationsOf(await documentOf(api())).filter(({ path }) =>
      /^\/(v1|pioneer|users)/.test(path),
    )
    for (const { method, path, responses } of told) {
      const description = responses[503]?.description
      expect([method, path, description]).toEqual([method, path, expect.stringContaining('database-away')])
    }
    const stream = told.find(({ path }) => path === '/v1/tracks/{id}/stream')
    expect(stream?.responses[503]?.description).toMatch(/^No node that holds the track answers/)
  })

  test('refers only to schemas that it has, and uses all that it has', async () => {
    const document = await documentOf(api())
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]*)"/g)].map(
      ([, target]) => target,
    )
    const names = Object.keys(document.components.schemas)
    expect([...new Set(references)].sort()).toEqual(
      names.map((name) => `#/components/schemas/${name}`).sort(),
    )
    expect(JSON.stringify(document)).not.toContain('"$id"')
  })

  test('declares every parameter of a path, and problems for what goes wrong', async () => {
    for (const { path, parameters, responses } of operationsOf(await documentOf(api()))) {
      const inPath = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name)
      expect([path, inPath]).toEqual([path, [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)])
      if (path.startsWith('/v1/'))
        expect(responses[400]?.content).toHaveProperty(['application/problem+json'])
    }
  })

  test('tells forms of names, bounds and defaults', async () => {
    const { paths, components } = await documentOf(api())
    expect(paths['/v1/tracks/{id}']?.get?.parameters).toEqual([
      {
        name: 'id',
        in: 'path',
        required: true,
        schema: {
          type: 'string',
          pattern: '^0x[0-9a-f]{40}-(0|[1-9][0-9]{0,28})$',
          examples: [`0x${'a1'.repeat(20)}-11`],
        },
      },
    ])
    const limit = paths['/v1/tracks']?.get?.parameters.find(({ name }) => name === 'limit')
    expect(limit).toMatchObject({
      required: false,
      schema: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
    })
    const searched = paths['/v1/search']?.get?.parameters.find(({ name }) => name === 'limit')
    expect(searched).toMatchObject({
      schema: { maximum: 50, description: expect.stringContaining('There are no pages') },
    })
    expect(components.schemas.Track).toMatchObject({
      properties: {
        durationMs: { type: 'integer' },
        manifest: { type: 'string' },
        last: { required: ['block', 'logIndex', 'digest'] },
      },
    })
  })

  test('shows how to ask with curl, signed where that is needed', async () => {
    const sampleOf = (operation?: { 'x-codeSamples'?: { source: string }[] }) =>
      operation?.['x-codeSamples']?.[0]?.source
    const { paths } = await documentOf(api())
    expect(sampleOf(paths['/v1/search']?.get)).toBe("curl 'https://discovery.example/v1/search?q=ut+queant'")
    expect(sampleOf(paths['/v1/tracks/{id}/stream']?.get)).toMatch(/^curl -i '/)
    expect(sampleOf(paths['/v1/app-passwords']?.post)).toBe(
      `curl -X POST -H "Authorization: Hexachord $APP_PASSWORD_MESSAGE" 'https://discovery.example/v1/app-passwords'`,
    )
    expect(paths['/v1/app-passwords']?.post?.security).toEqual([{ 'app-password': [] }])
  })

  test('writes a schema without a name where it is used', () => {
    const answer = async (): Promise<Answer> => ({ body: {}, freshness: 'checked' })
    const schema = z.object({ ok: z.boolean() })
    const routes = [
      route({ path: '/x', summary: 'x', answers: { 200: { description: 'x', schema } }, answer }),
    ]
    const document = openApiDocument(routes, { version: '1', publicUrl: 'https://x.example' })
    expect(document.paths['/x']?.get?.responses[200]?.content?.['application/json']?.schema).toMatchObject({
      properties: { ok: { type: 'boolean' } },
    })
  })
})
