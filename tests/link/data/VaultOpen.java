import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/** Opens a sealed key with nothing but the JDK: java VaultOpen.java MASTER_FILE SEALED_FILE ASSOCIATED_FILE. */
class VaultOpen {
    static byte[] hmac(byte[] key, byte[]... parts) throws Exception {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        for (byte[] part : parts) mac.update(part);
        return mac.doFinal();
    }

    public static void main(String[] args) throws Exception {
        byte[] master = Files.readAllBytes(Path.of(args[0])), associated = Files.readAllBytes(Path.of(args[2]));
        byte[] blob = Base64.getDecoder().decode(Files.readString(Path.of(args[1])).trim());
        int idEnd = 5 + blob[4], ivStart = idEnd + 16, body = ivStart + 16, tag = blob.length - 32;
        String id = new String(blob, 5, blob[4], "US-ASCII");
        byte[] pseudo = hmac(Arrays.copyOfRange(blob, idEnd, ivStart), master), one = {1};
        byte[] enc = hmac(pseudo, ("portfolio-agent/v1/enc/" + id).getBytes(), one);
        byte[] mac = hmac(pseudo, ("portfolio-agent/v1/mac/" + id).getBytes(), one);
        byte[] length = {(byte) (associated.length >> 24), (byte) (associated.length >> 16),
            (byte) (associated.length >> 8), (byte) associated.length};
        byte[] expected = hmac(mac, Arrays.copyOf(blob, body), length, associated, Arrays.copyOfRange(blob, body, tag));
        if (!MessageDigest.isEqual(expected, Arrays.copyOfRange(blob, tag, blob.length))) {
            System.err.println("authentication failed");
            System.exit(1);
        }
        Cipher cipher = Cipher.getInstance("AES/CBC/PKCS5Padding");
        cipher.init(Cipher.DECRYPT_MODE, new SecretKeySpec(enc, "AES"), new IvParameterSpec(blob, ivStart, 16));
        System.out.write(cipher.doFinal(blob, body, tag - body));
        System.out.flush();
    }
}
