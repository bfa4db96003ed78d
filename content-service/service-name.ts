/** As this service is called in logs, metrics and its database file. */
export const serviceName = 'content-service'
