/** As this service is called in logs, metrics and its database file. */
export const serviceName = 'creator-node'
