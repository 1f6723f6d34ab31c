/** Of what applications read: the views of the schema `api_v1`, and the answers under `/api`. */
export const apiVersion = 'v1'
