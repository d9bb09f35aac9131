// A plugin that would allow itself any certificate.

import { ClientConn, Origin } from 'sandpiper:http/client@0.2.0';
import { allow } from 'sandpiper:http/tls-admin@0.2.0';

export function connect() {
  allow({ anyCertificate: true });
  const endpoint = { host: '127.0.0.1', port: 443, addresses: [], tls: { acceptAnyCertificate: true } };
  ClientConn.connect(Origin.create(endpoint, undefined));
}
