/** The same on nginx with njs (its JavaScript). */

import hmac from 'crypto';

const key = Buffer.from(crypto.getRandomValues(new Uint8Array(32)));
const keyId = Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString('hex');

function sign(request) {
  const body = request.requestBuffer;
  const isJson = request.headersIn['Content-Type'] === 'application/json';
  const message = isJson ? JSON.parse(body.toString()).message : body;
  const signature = hmac.createHmac('sha256', key).update(message).digest('hex');
  request.headersOut['Content-Type'] = 'application/json';
  request.return(200, JSON.stringify({ signature, keyId, algorithm: 'HS256' }));
}

export default { sign };
