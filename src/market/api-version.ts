/** Version of schema `api_v1` and of paths under `/api`. */
export const apiVersion = 'v1'
