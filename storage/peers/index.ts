export { createNodeClient, type NodeClient, type NodeRequest } from './node-client.ts'
export { type PeerAddresses, peerAddresses } from './peer-addresses.ts'
export { PeerIdError, peerIdFromHex, peerIdToHex } from './peer-id.ts'
export { operatorOf, requireOperator } from './require-operator.ts'
