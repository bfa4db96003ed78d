import { describe, expect, test } from '@jest/globals'
import * as z from 'zod'
import type { Database } from '../reading/entity.ts'
import { openApiDocument } from '../reading/openapi.ts'
import { type Answer, route } from '../reading/route.ts'
import { documentationRoute } from './index.ts'
import { realExamples, withRealExamples } from './real-examples.ts'

const song = z.object({
  title: z.string(),
  by: z.object({ name: z.string() }).nullable(),
  key: z.enum(['C', 'G']).optional(),
})
const answer = async (): Promise<Answer> => ({ body: {}, freshness: 'checked' })
const routes = [
  route({
    path: '/v1/songs/:id',
    summary: 'One <song> & no `other`',
    params: z.strictObject({ id: z.string().meta({ examples: ['ut'] }) }),
    query: z.strictObject({ limit: z.coerce.number<string>().int().min(1).max(9).default(3) }),
    answers: { 200: { description: 'The song', name: 'Song', schema: song } },
    answer,
  }),
]

/** A catalogue with nothing in it. */
const database = { query: async () => ({ rows: [] }) } as unknown as Database

async function page() {
  const document = openApiDocument(routes, { version: '1.2.3', publicUrl: 'https://x.example' })
  const found = await documentationRoute(() => document, { database, now: Date.now }).answer({})
  if (!('text' in found)) throw new Error('a page is a text')
  return found
}

/** A catalogue with a comment and a handle, and nothing else. */
const small = {
  query: async (statement: unknown) => ({
    rows: String(statement).includes('AS comment') ? [{ comment: '0xc3-4', app: null, handle: 'hilda' }] : [],
  }),
} as unknown as Database

describe('the page about the API', () => {
  test('tells how each operation is asked, and what it answers', async () => {
    const { text } = await page()
    expect(text).toContain('One &lt;song&gt; &amp; no <code>other</code>')
    expect(text).toContain('curl &#39;https://x.example/v1/songs/ut&#39;')
    expect(text).toContain('at least 1, at most 9, otherwise 3')
    expect(text).toContain('<a href="#schema-Song">Song</a>')
    expect(text).toContain('{ name: string } | null')
    expect(text).toContain('&quot;C&quot; | &quot;G&quot;')
  })

  test('leads to nothing that is not on it but the document itself', async () => {
    const { text } = await page()
    const places = [...text.matchAll(/ id="([^"]*)"/g)].map(([, id]) => `#${id}`)
    const links = [...text.matchAll(/ href="([^"]*)"/g)].map(([, href]) => href)
    expect(links.filter((href) => !places.includes(href ?? ''))).toEqual(['/openapi.json'])
  })

  test('loads and runs nothing, by its policy and in fact', async () => {
    const { text, headers } = await page()
    expect(headers?.['Content-Security-Policy']).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/]{43}='; /,
    )
    expect(text).not.toMatch(/<(script|img|link|iframe)|src=|https?:(?!\/\/x\.example)/)
  })

  test('says what to put where there is nothing, or where it is nobody else’s', async () => {
    const author = `0x${'a1'.repeat(20)}`
    const text = [
      `/v1/comments/${author}-13`,
      `/v1/apps/${author}-14`,
      `/v1/actions/0x${'5f'.repeat(32)}`,
      '/v1/app-passwords/pYd3nGq7Xk2a',
      '/v1/resolve?handle=guido',
      '/v1/search?q=ut+queant',
    ].join(' ')
    expect(withRealExamples(text, await realExamples(small, 0))).toBe(
      '/v1/comments/0xc3-4 /v1/apps/APP_ID /v1/actions/ACTION_HASH /v1/app-passwords/APP_PASSWORD_ID ' +
        '/v1/resolve?handle=hilda /v1/search?q=WORDS',
    )
  })

  test('names what is in the catalogue, and nothing by half', () => {
    const words = [
      ['0xa1-11', '0xb2-7'],
      ['0xa1', '0xb2'],
    ] as const
    const text = "curl '/tracks/0xa1-11' '/comments/0xa1-13' '/users/0xa1' 0xa1ff"
    expect(withRealExamples(text, words)).toBe(
      "curl '/tracks/0xb2-7' '/comments/0xa1-13' '/users/0xb2' 0xa1ff",
    )
  })
})
