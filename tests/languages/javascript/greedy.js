// A plugin that would allow itself any certificate.

import { ClientConn } from 'sandpiper:http/client@0.2.0';
import { allow } from 'sandpiper:http/tls@0.2.0';

export function connect() {
  allow({ anyCertificate: true });
  ClientConn.connect({ host: '127.0.0.1', port: 443, addresses: [], tls: { acceptAnyCertificate: true } }, undefined);
}
