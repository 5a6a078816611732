import socket
req=bytes([3,0,0,19,14,0xe0,0,0,0,0,0,1,0,8,0,1,0,0,0])
import ssl
ctx=ssl.create_default_context();ctx.check_hostname=False;ctx.verify_mode=ssl.CERT_NONE
S=set();K=set()
for j in range(40):
    k=socket.create_connection(("127.0.0.1",14001));k.sendall(req);k.recv(100)
    i=ssl.MemoryBIO();o=ssl.MemoryBIO();s=ctx.wrap_bio(i,o)
    try:s.do_handshake()
    except ssl.SSLWantReadError:pass
    k.sendall(o.read()); d=k.recv(4096); S.add(d[11:43]); K.add(d[80:140])
    k.close()
print("distinct server randoms",len(S),"key shares",len(K),"of 40")
