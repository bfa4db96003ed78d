export {
  type NetworkFile,
  NetworkFileError,
  parseNetworkFile,
  readNetworkFile,
  writeNetworkFile,
} from './network-file.ts'
