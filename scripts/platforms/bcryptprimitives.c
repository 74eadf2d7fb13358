/* ProcessPrng of Windows, for Wine 8, which lacks this library. */

typedef unsigned char Byte;
typedef unsigned long long Size;

__declspec(dllimport) Byte __stdcall SystemFunction036(void *, unsigned long); /* RtlGenRandom */

__declspec(dllexport) int __stdcall ProcessPrng(Byte *data, Size length)
{
  while (length > 0) {
    unsigned long step = length > 65536 ? 65536 : (unsigned long)length;
    if (!SystemFunction036(data, step)) return 0;
    data += step;
    length -= step;
  }
  return 1;
}

int __stdcall DllMainCRTStartup(void *instance, unsigned long reason, void *reserved)
{
  return 1;
}
