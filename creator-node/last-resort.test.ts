import { createGuardedFetch } from '@hexachord/platform/http'
import { BlockNotFound } from '@hexachord/storage/ipfs'
import { afterAll, expect, test } from '@jest/globals'
import { lastResort } from './last-resort.ts'

const fetch = createGuardedFetch({ allowPrivateAddresses: true })
afterAll(fetch.close)

const { signal } = new AbortController()
const nobody = { catalogue: { operators: () => new Map() }, fetch }
const cid = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy'

test('what is paid for here comes from its holders, and all else from whoever gives it to anybody', async () => {
  const bytes = Uint8Array.of(1, 2)
  await expect(lastResort({ ...nobody, fetchPaid: async () => bytes })(cid, signal)).resolves.toBe(bytes)
  const unpaid = async () => {
    throw new BlockNotFound(cid)
  }
  await expect(lastResort({ ...nobody, fetchPaid: unpaid })(cid, signal)).rejects.toMatchObject({
    name: 'RetrievalFailed',
  })
  const away = async () => {
    throw new TypeError('its holders are away')
  }
  await expect(lastResort({ ...nobody, fetchPaid: away })(cid, signal)).rejects.toThrow('away')
})
