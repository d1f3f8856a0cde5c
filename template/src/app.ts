import { service } from 'pawl'
import { order } from './order.ts'

export const shop = service('shop', { machines: [order] })
