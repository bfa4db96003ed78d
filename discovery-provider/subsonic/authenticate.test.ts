import { createHash } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { createLogins, type Login } from '../app-passwords/index.ts'
import type { PasswordProof } from '../app-passwords/passwords.ts'
import { createAuthenticate } from './authenticate.ts'
import { readParameters } from './parameters.ts'

const secret = 'abcde-fghij'
const login: Login = { account: `0x${'a1'.repeat(20)}`, username: 'guido', passwordId: 'one' }
const md5 = (text: string) => createHash('md5').update(text).digest('hex')
const token = { t: md5(`${secret}c19b2d`), s: 'c19b2d' }

/** Somebody with one app password. @param seen how often the passwords were asked for */
function door({ seen = { times: 0 }, clock = { ms: 0 } } = {}) {
  const fits = (proof: PasswordProof) =>
    'password' in proof ? proof.password === secret : proof.token === md5(secret + proof.salt)
  const logins = createLogins({
    appPasswords: {
      async findByPassword(password) {
        seen.times += 1
        return password === secret ? login : undefined
      },
      async findByName(name, proof) {
        seen.times += 1
        return name === 'guido' && fits(proof) ? login : undefined
      },
    },
    now: () => clock.ms,
  })
  const authenticate = createAuthenticate(logins)
  return (query: Record<string, string>, address = '192.0.2.1', authorization?: string) =>
    authenticate(readParameters(query), { address, authorization })
}

describe('the mechanisms', () => {
  test.each([
    ['a password', { u: 'guido', p: secret }],
    ['a password in hex', { u: 'guido', p: `enc:${Buffer.from(secret).toString('hex')}` }],
    ['a token and its salt', { u: 'guido', ...token }],
    ['an API key', { apiKey: secret }],
  ])('%s opens', async (_, query) => {
    expect(await door()(query)).toBe(login)
  })

  test.each([
    ['nothing at all', {}, 10],
    ['no user', { p: secret }, 10],
    ['no secret', { u: 'guido' }, 10],
    ['a token without its salt', { u: 'guido', t: token.t }, 10],
    ['a salt alone', { u: 'guido', s: token.s }, 10],
    ['a wrong password', { u: 'guido', p: 'x' }, 40],
    ['a wrong token', { u: 'guido', t: md5('x'), s: 'x' }, 40],
    ['an unknown user', { u: 'nobody', p: secret }, 40],
    ['hex that is none', { u: 'guido', p: 'enc:xyz' }, 40],
    ['a wrong API key', { apiKey: 'x' }, 44],
    ['an API key beside a user', { u: 'guido', apiKey: secret }, 43],
    ['an API key beside a password', { p: secret, apiKey: secret }, 43],
    ['an API key beside a token', { ...token, apiKey: secret }, 43],
    ['a password beside a token', { u: 'guido', p: secret, ...token }, 43],
  ])('%s is refused with its own code', async (_, query, code) => {
    await expect(door()(query)).rejects.toMatchObject({ name: 'SubsonicError', code, status: 200 })
  })

  test('a header Authorization is none of them', async () => {
    await expect(door()({}, undefined, 'Basic x')).rejects.toMatchObject({ code: 42 })
    expect(await door()({ apiKey: secret }, undefined, 'Basic x')).toBe(login)
  })
})

describe('failures', () => {
  const wrong = { u: 'guido', p: 'x' }
  const right = { u: 'guido', p: secret }

  test('are counted by client, who is not looked at any more after some, for a while', async () => {
    const [seen, clock] = [{ times: 0 }, { ms: 0 }]
    const knock = door({ seen, clock })
    for (let times = 0; times < 20; times += 1)
      await expect(knock(wrong)).rejects.toMatchObject({ status: 200 })
    const before = seen.times
    await expect(knock(right)).rejects.toMatchObject({ code: 40, status: 429, retryAfterSeconds: 30 })
    expect(seen.times).toBe(before)
    expect(await knock(right, '192.0.2.2')).toBe(login)
    clock.ms += 30_000
    expect(await knock(right)).toBe(login)
  })

  test('of one household are one count, whichever of its addresses they come from', async () => {
    const knock = door()
    for (let n = 0; n < 20; n += 1)
      await expect(knock(wrong, `2001:db8::${n + 1}`)).rejects.toMatchObject({ code: 40 })
    await expect(knock(right, '2001:db8:0:0:9::1')).rejects.toMatchObject({ status: 429 })
    expect(await knock(right, '2001:db8:0:1::1')).toBe(login)
  })

  test('of all together are bounded, and do not shut out who has logged in before', async () => {
    const knock = door()
    await knock(right, '198.51.100.1')
    for (let n = 0; n < 300; n += 1) {
      await expect(knock(wrong, `203.0.${n >> 8}.${n & 255}`)).rejects.toMatchObject({ status: 200 })
    }
    await expect(knock(right, '198.51.100.2')).rejects.toMatchObject({ status: 429 })
    expect(await knock(right, '198.51.100.1')).toBe(login)
  })
})
