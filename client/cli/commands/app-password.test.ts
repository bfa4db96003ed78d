import { openAppPasswordToken, openToken } from '@hexachord/protocol/tokens'
import { account, answerJson, discoveryStatus, domain, type HttpServer, serve } from '@hexachord/sdk/fixtures'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { type Cli, newUser } from '../fixtures/index.ts'

// Each of several processes takes half a second of a core to start.
jest.setTimeout(60_000)

const author = `0x${'a1'.repeat(20)}`
let discovery: HttpServer
let user: Cli
/** For whom what was asked last was signed. */
let claimed: { account: string; signer: string }
beforeAll(async () => {
  discovery = await serve((request, response) => {
    if (request.url === '/status') return answerJson(response, discoveryStatus())
    const expected = { domain, audience: discovery.origin, now: Date.now() }
    const open = request.method === 'POST' ? openAppPasswordToken : openToken
    const claim = open(request.headers.authorization, expected)
    claimed = { account: claim.account, signer: claim.signer }
    if (request.method === 'GET') return answerJson(response, { items: [], next: null })
    if (request.method === 'DELETE') return answerJson(response, { id: 'one', revoked: true })
    return answerJson(response, { id: 'one', username: 'guido', password: 'abcde' }, 201)
  })
  user = await newUser({ HEXACHORD_DISCOVERY: discovery.origin })
  await user.giveKey()
})
afterAll(async () => {
  await user.remove()
  await discovery.close()
})

test.each([
  [['create', 'radio'], 'password  abcde'],
  [['list'], 'there are none'],
  [['revoke', 'one'], 'one opens nothing any more at'],
])(
  'app-password %p is for the own account, or for an author whose keys were rotated to it',
  async (args, said) => {
    for (const [options, whose] of [
      [[], account.address],
      [['--author', author], author],
    ] as const) {
      const { code, stdout, stderr } = await user('app-password', ...args, ...options)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toContain(said)
      expect(claimed).toEqual({ account: whose, signer: account.address })
    }
  },
)

test('a password is made with the address of the provider that has to be typed into the player', async () => {
  const { stdout } = await user('app-password', 'create', 'radio')
  expect(stdout).toContain(`server    ${discovery.origin}\nuser      guido\npassword  abcde\n`)
})
