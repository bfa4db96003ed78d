import { expect, test } from '@jest/globals'
import { rawCidOf } from './independent-check.ts'

test('the CID of a raw block is that which Kubo gives it', () => {
  expect(rawCidOf(Buffer.from('hello world'))).toBe(
    'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e',
  )
  expect(rawCidOf(new Uint8Array())).toBe('bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku')
})
