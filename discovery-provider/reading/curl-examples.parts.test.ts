import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  type Address,
  type Subject,
  subjectOf,
  subjectToBytes32,
  userSubject,
} from '@hexachord/protocol/names'
import { createAppPasswordToken, createToken } from '@hexachord/protocol/tokens'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { Wallet } from 'ethers'
import { bookPayments, plainTerms, redemption } from '../fixtures/payment-history.ts'
import { type ServedCatalogue, serveCatalogue } from '../fixtures/served-catalogue.ts'
import { actedLog, operators, rules, trackContent } from '../fixtures/synthetic-network.ts'
import { opaqueSubject } from '../pioneer/opaque-ids.ts'
import { exampleAuthor } from './entity.ts'
import type { OpenApiDocument } from './openapi.ts'

// A database is made, and as many programs are started as there are routes.
jest.setTimeout(120_000)

const site = 'https://discovery.example'
const wallet = new Wallet(`0x${'4d'.repeat(32)}`)

/** What examples name though nobody can choose it, and what the catalogue has in its place. */
const inPlaceOf: Record<string, () => string> = {
  [`0x${'5f'.repeat(32)}`]: () => served.hashes.applied,
  pYd3nGq7Xk2a: () => passwordId,
}

const environment: Record<string, string> = {}
const home = mkdtempSync(join(tmpdir(), 'curl-home-'))
let served: ServedCatalogue
let document: OpenApiDocument
let schemas: Ajv2020
let passwordId = ''

beforeAll(async () => {
  served = await serveCatalogue()
  await putExamples()
  const authorization = { audience: site, expiresAt: Date.now() + 600_000 }
  const minting = await createAppPasswordToken(wallet, rules.domain, {
    ...{ ...authorization, device: 'radio', nonce: `0x${'1'.padStart(64, '0')}` },
  })
  const account = wallet.address.toLowerCase()
  passwordId = 'abcdefghijkl'
  await served.catalogue.database.postgres.query(
    `INSERT INTO app_password (id, account, controller, device, fingerprint, sealed, created_at_ms)
     VALUES ($1, $2, $2, 'car', '', '', 1)`,
    [passwordId, account],
  )
  environment.TOKEN = credentialsOf(await createToken(wallet, rules.domain, authorization))
  environment.APP_PASSWORD_MESSAGE = credentialsOf(minting)
  // Settings of curl that are no part of an example.
  writeFileSync(
    join(home, '.curlrc'),
    'silent\nshow-error\nmax-time = 20\nwrite-out = "\\n%{http_code} %{content_type}"\n',
  )
  document = (await (await served.get('/openapi.json')).json()) as OpenApiDocument
  schemas = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
  schemas.addSchema(document, 'openapi')
})
afterAll(async () => {
  rmSync(home, { recursive: true, force: true })
  await served.close()
})

/** Everything that the examples of the documentation name. */
async function putExamples(): Promise<void> {
  const author: Address = exampleAuthor
  const subject = (number: bigint) => subjectOf(author, number)
  const { track } = await exampleTrack({ original: true })
  const fields = { prev: null, title: 'Ut queant laxis' }
  await served.catalogue.put(
    actedLog({
      ...{ author, kind: 'user', subject: userSubject(author) },
      content: { prev: null, handle: 'guido', name: 'Guido of Arezzo', picture: track.cid },
    }),
    actedLog({
      ...{ author, kind: 'track', subject: subject(11n) },
      content: await trackContent(subject(11n), fields, { manifest: track.cid }),
    }),
    actedLog({
      ...{ author, kind: 'playlist', subject: subject(12n) },
      content: { prev: null, title: 'Hymns', cover: track.cid, add: [{ track: subject(11n) }] },
    }),
    actedLog({
      ...{ author, kind: 'comment', subject: subject(13n) },
      content: { prev: null, track: subject(11n), text: 'resonare fibris' },
    }),
    actedLog({ author, kind: 'app', subject: subject(14n), content: { prev: null, name: 'Monochord' } }),
  )
  await bookPayments(served.catalogue.database.postgres, [
    [{ do: 'setTerms', signer: author, track: subjectToBytes32(subject(11n)), terms: plainTerms(author) }, 1],
    [redemption(operators[0]?.operator ?? author, [{ track: subject(11n), amount: 1_340n }]), 2],
    // A week after that it is free again, and has a stream for everybody.
    [
      {
        ...{ do: 'setTerms', signer: author, track: subjectToBytes32(subject(11n)) },
        terms: { ...plainTerms(author), unitPrice: 0n },
      },
      3,
    ],
  ])
}

const credentialsOf = (header: string) => header.replace(/^Hexachord /, '')

type Example = { readonly method: string; readonly path: string; readonly source: string | undefined }

function examples(): Example[] {
  return Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      ...{ method, path },
      source: operation['x-codeSamples']?.[0]?.source,
    })),
  )
}

/** The very command, but for where the provider is and for names that nobody can choose. */
function runnable(source: string): string {
  return Object.entries(inPlaceOf).reduce(
    (command, [name, actual]) => command.replaceAll(name, actual()),
    source.replaceAll(site, served.origin),
  )
}

const options = () => ({ env: { ...process.env, ...environment, CURL_HOME: home } })

async function run(source: string): Promise<{ status: string; type: string; body: string }> {
  const { stdout } = await promisify(execFile)('sh', ['-c', runnable(source)], options())
  const end = stdout.lastIndexOf('\n')
  const [status = '', type = ''] = stdout.slice(end + 1).split(' ')
  return { status, type: type.replace(/;$/, ''), body: stdout.slice(0, end) }
}

/** What a stream without end has sent once this word was in it. */
async function runUntil(word: string, source: string): Promise<string> {
  const command = spawn('sh', ['-c', `exec ${runnable(source)}`], options())
  try {
    let text = ''
    for await (const bytes of command.stdout) {
      text += String(bytes)
      if (text.includes(word)) return text
    }
    throw new Error(`the stream ended without '${word}': ${text}`)
  } finally {
    command.kill()
  }
}

/** Mistakes of an answer by the schema that the document has for it. */
function mistakesOf({ method, path }: Example, status: string, body: unknown): unknown {
  const pointer = ['paths', path, method, 'responses', status, 'content', 'application/json', 'schema']
    .map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')))
    .join('/')
  const validate = schemas.compile({ $ref: `openapi#/${pointer}` })
  return validate(body) ? [] : validate.errors
}

describe('the curl example of every route', () => {
  test('is in the document', () => {
    const without = examples().filter(({ source }) => source === undefined)
    expect(without.map(({ method, path }) => `${method} ${path}`)).toEqual([])
  })

  test('is answered as the document says, by real curl', async () => {
    for (const example of examples()) {
      const { method, path, source = '' } = example
      const operation = document.paths[path]?.[method as 'get']
      if (operation?.responses[200]?.content?.['text/event-stream']) {
        expect(await runUntil('event: state', source)).toMatch(/^retry: \d+\n\n/)
        continue
      }
      const { status, type, body } = await run(source)
      const response = operation?.responses[status]
      expect({ source, status, body }).toEqual({
        source,
        status: expect.stringMatching(/^(20[01]|302)$/),
        body,
      })
      if (status === '302') {
        expect([source, body]).toEqual([source, expect.stringMatching(/^location: \S+/im)])
        continue
      }
      const [declared] = Object.entries(response?.content ?? {})
      if (declared === undefined) continue
      const [mediaType, { schema }] = declared
      expect([source, type.split(';')[0]]).toEqual([source, mediaType.split(';')[0]])
      if (mediaType === 'application/json' && JSON.stringify(schema) !== '{"type":"string"}') {
        expect([source, mistakesOf(example, status, JSON.parse(body))]).toEqual([source, []])
      }
    }
  })

  test('has an answer that is not sent twice, or not kept, and that any origin may read', async () => {
    const asked = examples().filter(({ method, source }) => method === 'get' && !source?.includes('-N'))
    for (const { path, source = '' } of asked) {
      const [, url = ''] = /'(http[^']*)'/.exec(runnable(source)) ?? []
      const { status, headers } = await fetch(url, { redirect: 'manual' })
      const told = { path, status, caching: headers.get('cache-control') }
      expect(headers.get('access-control-allow-origin')).toBe('*')
      const tag = headers.get('etag')
      if (tag === null) {
        // A redirect, a problem, or how the provider fares: good for this moment.
        expect(told).toEqual({ path, status, caching: 'no-store' })
        const withoutTag = path.startsWith('/v1/') ? /^(302|401)$/ : /^(200|302)$/
        expect([path, String(status)]).toEqual([path, expect.stringMatching(withoutTag)])
        continue
      }
      expect(told).toEqual({
        path,
        status: 200,
        caching: expect.stringMatching(/^public, (no-cache|max-age=\d+)$/),
      })
      const again = await fetch(url, { headers: { 'If-None-Match': tag } })
      expect([path, again.status]).toEqual([path, 304])
    }
  })

  test('names what is in the catalogue on the page that people read', async () => {
    const page = await (await served.get('/docs')).text()
    const { items } = (await (await served.get('/v1/tracks?limit=1')).json()) as { items: { id: string }[] }
    expect(page).toContain(`/v1/tracks/${items[0]?.id}/remixes`)
    expect(page).toContain(`/pioneer/v1/tracks/${opaqueSubject(items[0]?.id as Subject)}/stream`)
  })

  test('and the check refuses what is not as the schema says', () => {
    const example = { method: 'get', path: '/v1/tracks/{id}', source: undefined }
    expect(mistakesOf(example, '200', { id: 'no subject' })).not.toEqual([])
  })
})
