import { describe, expect, test } from '@jest/globals'
import { nameInUrl } from './resolve.ts'

const address = `0x${'a1'.repeat(20)}`
const checksummed = '0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed'

describe('the name in a URL', () => {
  test.each([
    [`https://app.example/tracks/${address}-7`, { subject: `${address}-7` }],
    [`https://app.example/tracks/${address}-7/stream?x=1#y`, { subject: `${address}-7` }],
    [`https://app.example/#/playlists/${address}-8`, { subject: `${address}-8` }],
    [`https://app.example/users/${address}`, { user: address }],
    ['https://app.example/users/0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed', { user: checksummed }],
    ['https://app.example/users/0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed', undefined],
    [`https://app.example/users/0x${'A1'.repeat(20)}`, { user: address }],
    ['https://app.example/@guido', { handle: 'guido' }],
    ['https://app.example/%40guido/', { handle: 'guido' }],
    ['https://app.example/v1/users/guido', { handle: 'guido' }],
    [`https://app.example/@guido/${address}-7`, { subject: `${address}-7` }],
    ['https://app.example/', undefined],
    ['https://app.example/@Not-A-Handle', undefined],
    ['https://app.example/%ff%', undefined],
    [`https://app.example/tracks/${address}-07`, undefined],
  ])('%s', (url, name) => {
    expect(nameInUrl(url)).toEqual(name)
  })
})
