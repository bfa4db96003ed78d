export { watchPeers } from './watch-peers.ts'
